/** Texts by key: English, Korean.  A row without both does not compile. */
export type Rows = Record<string, readonly [english: string, korean: string]>;

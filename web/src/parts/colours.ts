// The colours of classes: the person's choice (a number of the palette), else by the class's place.
export const PALETTE = 12;

export type Colours = Record<string, number>;

export const paletteColour = (n: number) => `rgb(var(--series-${(((n % PALETTE) + PALETTE) % PALETTE) + 1}))`;

/** The colour of class number `cls`. */
export function classColour(cls: number, classes: string[] = [], colours: Colours | null = null): string {
  const name = classes[cls];
  return paletteColour((name !== undefined ? colours?.[name] : undefined) ?? cls);
}

// The particles of Korean that follow the sound before them: a catalogue's text says "{name}을(를)", and what is shown
// is "모델을" or "데이터를", "버전 1로" or "버전 3으로".  A name in Latin letters is judged by how Koreans read its last
// letter or digit out; of what is left open the form for both stays.

const FIRST = 0xac00, LAST = 0xd7a3, FINALS = 28, RIEUL = 8; // of Hangul's syllables: a final consonant each 28, ㄹ the eighth
type Final = "none" | "rieul" | "other";

/** 영 일 이 삼 사 오 육 칠 팔 구 */
const digits: Final[] = ["other", "rieul", "none", "other", "none", "none", "other", "rieul", "rieul", "none"];
/** How a word in Latin letters ends to a Korean ear: 엘, 알; 엠, 엔; -k, -p, -t and the like as 크, 프, 트. */
const letters: Record<string, Final> = { l: "rieul", r: "none", m: "other", n: "other" };

function finalOf(char: string): Final | undefined {
  const code = char.codePointAt(0) ?? 0;
  if (code >= FIRST && code <= LAST) {
    const final = (code - FIRST) % FINALS;
    return final === 0 ? "none" : final === RIEUL ? "rieul" : "other";
  }
  if (/\d/.test(char)) return digits[Number(char)];
  return /[a-z]/i.test(char) ? (letters[char.toLowerCase()] ?? "none") : undefined;
}

const pairs: Record<string, [afterConsonant: string, afterVowel: string]> = {
  "을(를)": ["을", "를"], "이(가)": ["이", "가"], "은(는)": ["은", "는"], "과(와)": ["과", "와"], "(으)로": ["으로", "로"],
};

/** Each particle in the form that the sound before it asks for; quotes and brackets between them are passed over. */
export function withParticles(text: string): string {
  return text.replace(/(\S)(['"’”)\]%]*)(을\(를\)|이\(가\)|은\(는\)|과\(와\)|\(으\)로)/gu, (all, last: string, between: string, particle: string) => {
    const final = finalOf(last), forms = pairs[particle];
    if (!final || !forms) return all;
    const consonant = final === "other" || (final === "rieul" && particle !== "(으)로");
    return last + between + forms[consonant ? 0 : 1];
  });
}

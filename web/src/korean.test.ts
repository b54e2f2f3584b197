import { expect, test } from "vitest";

import { textsOf } from "./i18n";
import { withParticles } from "./korean";

test("a particle follows the sound before it", () => {
  const as = (...names: string[]) => names.map((one) => withParticles(`${one}을(를) ${one}이(가) ${one}은(는) ${one}과(와) ${one}(으)로`));
  expect(as("모델", "데이터", "학습")).toEqual([
    "모델을 모델이 모델은 모델과 모델로", "데이터를 데이터가 데이터는 데이터와 데이터로", "학습을 학습이 학습은 학습과 학습으로",
  ]);
});

test("digits and Latin letters are judged by how they are read, through quotes", () => {
  expect([1, 2, 3, 6, 10].map((n) => withParticles(`버전 ${n}(으)로`))).toEqual(["버전 1로", "버전 2로", "버전 3으로", "버전 6으로", "버전 10으로"]);
  expect(withParticles("'production'이(가)")).toBe("'production'이");
  expect(withParticles('"first"을(를)')).toBe('"first"를');
});

test("what has no sound that one could know keeps both forms, and other text is left alone", () => {
  expect(withParticles("!!!을(를)")).toBe("!!!을(를)");
  expect(withParticles("을(를) 이미지(장)")).toBe("을(를) 이미지(장)");
});

test("the catalogue's Korean is filled so", () => {
  expect(textsOf("ko").t("registry.rollback", { version: "1" })).toBe("버전 1로 되돌리기");
  expect(textsOf("ko").t("registry.rollback", { version: "3" })).toBe("버전 3으로 되돌리기");
});

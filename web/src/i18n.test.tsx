import { screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { textsOf, useTexts } from "./i18n";
import { keep } from "./kept";
import { areas, messages } from "./messages";
import { show } from "./testing";

const names = (text: string) => [...new Set([...text.matchAll(/\{(\w+)/g)].map((m) => m[1]))].sort();

test("every text has the same parameters in English and in Korean, and none is empty", () => {
  for (const [key, [english, korean]] of Object.entries(messages)) {
    expect(english.trim() && korean.trim(), key).toBeTruthy();
    expect(names(korean), key).toEqual(names(english));
  }
});

test("a key stands in one area only", () => {
  const all = Object.values(areas).flatMap((area) => Object.keys(area));
  expect(all.filter((key, i) => all.indexOf(key) !== i)).toEqual([]);
  expect(all.length).toBe(Object.keys(messages).length);
});

test("a word goes with its number", () => {
  const { t } = textsOf("en");
  expect(t("pictures", { n: 1 })).toBe("1 picture");
  expect(t("pictures", { n: 0 })).toBe("0 pictures");
  expect(t("pictures", { n: 6000 })).toBe("6,000 pictures");
  expect(textsOf("ko").t("pictures", { n: 6000 })).toBe("이미지 6,000장");
});

test("a value that the catalogue does not know is shown as it is", () => {
  expect(textsOf("ko").of("status", "completed")).toBe("완료");
  expect(textsOf("ko").of("status", "unheard of")).toBe("unheard of");
});

test("sizes, shares and durations are rounded at their edges", () => {
  const { bytes, percent, duration } = textsOf("en");
  expect([0, 1023, 1024, 10 * 1024, 1536 * 1024].map(bytes)).toEqual(["0 B", "1,023 B", "1.0 KiB", "10 KiB", "1.5 MiB"]);
  expect(percent(0.385)).toBe("38.5\u00a0%");
  expect([-5, 59_499, 60_000, 3_600_000].map(duration)).toEqual(["0:00", "0:59", "1:00", "1:00:00"]);
});

test("times are said as far as they are away, and nothing is said of none", () => {
  const { ago, time } = textsOf("en");
  expect(ago(Date.now() - 2 * 3600e3)).toBe("2\u00a0hours\u00a0ago");
  expect(ago(Date.now() - 3 * 86400e3)).toBe("3\u00a0days\u00a0ago");
  expect(ago(null) + time(null)).toBe("");
});

test("a choice of language in one tab is followed by what is shown in another", async () => {
  const Word = () => <p>{useTexts().t("datasets")}</p>;
  await show(<Word />, { session: false });
  screen.getByText("Datasets");
  keep("anneal-language", "ko");
  await screen.findByText("데이터셋");
  expect(document.documentElement.lang).toBe("ko");
});

test("what the server says is said in Korean by its names and patterns, and as it is where there is none", () => {
  const ko = textsOf("ko"), en = textsOf("en");
  expect(ko.named("settingGroup", "Server", "Server")).toBe("서버");
  expect(ko.named("settingGroup", "Unheard", "Unheard")).toBe("Unheard");
  expect(en.named("settingGroup", "Server", "as it says")).toBe("as it says");
  expect(ko.said("paused after epoch 3")).toBe("에포크 3 뒤에 일시 중지");
  expect(ko.said("stopped early: no better accuracy for 12 epochs")).toBe("조기 종료: 에포크 12개 동안 accuracy 개선 없음");
  expect(ko.said("waiting for the trainer timm: connection refused (twice)")).toBe("학습기 timm을 기다리는 중: connection refused (twice)");
  expect(ko.said("paused")).toBe("일시 중지됨");
  expect(ko.said("nobody has thought of this")).toBe("nobody has thought of this");
  expect(en.said("paused after epoch 3")).toBe("paused after epoch 3");
  expect([ko.score("accuracy"), ko.score("map50"), ko.score("mask_map"), en.score("map50")]).toEqual(["정확도", "mAP50", "mask mAP", "mAP50"]);
});

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
  expect(ago(Date.now() - 2 * 3600e3)).toBe("2 hours ago");
  expect(ago(Date.now() - 3 * 86400e3)).toBe("3 days ago");
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

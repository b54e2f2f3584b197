import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { serve, show } from "../testing";
import { Drop } from "./drop";
import { datasetName, dropped, isArchive } from "./files";
import { Overlay, Thumb } from "./picture";

const file = (path: string) => ({ path, file: new File(["x"], path.split("/").at(-1) ?? "") });

test("what is dropped is walked into its folders, without what systems leave there", async () => {
  const leaf = (path: string) => ({ isFile: true, fullPath: `/${path}`, file: (ok: (f: File) => void) => ok(new File(["x"], path)) });
  let asked = 0;
  const folder = { isFile: false, createReader: () => ({ readEntries: (ok: (all: unknown[]) => void) => ok(asked++ ? [] : [leaf("pets/cat/1.jpg"), leaf("pets/.DS_Store"), leaf("pets/Thumbs.db")]) }) };
  const files = await dropped({ items: [{ webkitGetAsEntry: () => folder }, { webkitGetAsEntry: () => null }] } as never);
  expect(files.map((one) => one.path)).toEqual(["pets/cat/1.jpg"]);
});

test("a dataset is named by its folder or its archive", () => {
  expect(datasetName([file("pets/cat/1.jpg")])).toBe("pets");
  expect(datasetName([file("flowers.tar.gz")])).toBe("flowers");
  expect(datasetName([])).toBe("");
  expect(isArchive("a.ZIP") && !isArchive("a.jpg")).toBe(true);
});

test("files come by dropping and by choosing", async () => {
  serve({});
  const got = vi.fn();
  const { container } = await show(<Drop title="Put it here" hint="zip" folder onFiles={got} />);
  const [input] = await waitFor(() => {
    const all = [...container.querySelectorAll("input")];
    expect(all.length).toBe(2);
    return all;
  });
  await userEvent.upload(input as HTMLInputElement, new File(["x"], "a.jpg"));
  expect(got.mock.calls[0]?.[0].map((one: { path: string }) => one.path)).toEqual(["a.jpg"]);
  const place = screen.getByText("Put it here").parentElement as HTMLElement;
  fireEvent.dragOver(place);
  expect(place.className).toContain("border-primary");
  fireEvent.dragLeave(place);
  fireEvent.drop(place, { dataTransfer: { items: [] } });
  await waitFor(() => expect(got).toHaveBeenCalledTimes(2));
});

test("boxes, polygons and lines of text are drawn in the picture's pixels, named where asked", async () => {
  serve({});
  const shapes = { boxes: [[1, 10, 20, 30, 40]], polygons: [[0, 0, 0, 10, 0, 10, 10]], quads: [[0, 0, 50, 0, 50, 10, 0, 10, "TOTAL"]] };
  const { container } = await show(<Overlay shapes={shapes} width={100} height={50} classes={["cat", "dog"]} names />);
  await waitFor(() => expect(container.querySelector("svg")?.getAttribute("viewBox")).toBe("0 0 100 50"));
  expect(container.querySelector("rect")?.getAttribute("width")).toBe("30");
  expect([...container.querySelectorAll("polygon")].map((one) => one.getAttribute("points"))).toEqual(["0,0 10,0 10,10", "0,0 50,0 50,10 0,10"]);
  expect([...container.querySelectorAll("text")].map((one) => one.textContent)).toEqual(["dog", "cat", "TOTAL"]);
});

test("a picture that cannot be loaded says so", async () => {
  serve({});
  await show(<Thumb src="/x.jpg" alt="a cat">label</Thumb>);
  fireEvent.error(await screen.findByAltText("a cat"));
  expect(screen.queryByAltText("a cat")).toBeNull();
  expect(screen.queryByText("label")).toBeNull();
});

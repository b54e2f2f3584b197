// Light blocks, wide or high, on dark ground, each with its outline as YOLO writes it: what a tiny net learns in
// seconds, boxes, masks and areas.
import { zip } from "./archives";
import { png } from "./pictures";

const SIDE = 64;

export function block(i: number): { data: Buffer; label: string } {
  const cls = i % 2, w = cls ? 16 : 34, h = cls ? 34 : 16, x = 4 + ((i * 7) % (SIDE - w - 8)), y = 4 + ((i * 11) % (SIDE - h - 8));
  const data = png(SIDE, SIDE, (px, py) => {
    const noise = (px * 31 + py * 17 + i * 13) % 40;
    return px >= x && px < x + w && py >= y && py < y + h ? [cls ? 210 : 90 + noise, 160 + noise, cls ? 60 : 200] : [noise, 20 + noise, 30];
  });
  const at = (u: number, v: number) => `${u / SIDE} ${v / SIDE}`;
  return { data, label: `${cls} ${at(x, y)} ${at(x + w, y)} ${at(x + w, y + h)} ${at(x, y + h)}\n` };
}

/** An archive with data.yaml; pictures are numbered from 000 on, the validation's last. */
export function blocks(train: number, val: number): Buffer {
  const all = Array.from({ length: train + val }, (_, i) => ({ ...block(i), split: i < train ? "train" : "val", name: String(i).padStart(3, "0") }));
  return zip([{ name: "data.yaml", data: Buffer.from("train: images/train\nval: images/val\nnames: [wide, high]\n") },
    ...all.flatMap((b) => [{ name: `images/${b.split}/${b.name}.png`, data: b.data }, { name: `labels/${b.split}/${b.name}.txt`, data: Buffer.from(b.label) }])]);
}

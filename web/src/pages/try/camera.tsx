// The camera's picture with the answer over it, as fast as the answers come.
import { useEffect, useRef, useState } from "react";

import type { Answer, Settings } from "../../engine/answer";
import { useTexts } from "../../i18n";
import { Button, ErrorNote } from "../../parts/ui";
import type { Task } from "../../types";
import { Marks } from "../../parts/marks";
import { type Runner, shownOf } from "./runner";
import { Said } from "./said";

/** What the video shows now, as a file. */
async function frameOf(video: HTMLVideoElement): Promise<Blob | null> {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

export function Camera({ runner, task, settings, threshold, onPicture, onClose }: {
  runner: Runner; task: Task; settings: Settings; threshold: number; onPicture: (picture: Blob) => void; onClose: () => void;
}) {
  const { t, number } = useTexts();
  const video = useRef<HTMLVideoElement>(null);
  const [answer, setAnswer] = useState<Answer>();
  const [rate, setRate] = useState(0);
  const [error, setError] = useState<unknown>();
  const asked = useRef(settings);
  asked.current = settings;

  useEffect(() => {
    let over = false, stream: MediaStream | undefined;
    const look = async () => {
      const media = navigator.mediaDevices as MediaDevices | undefined; // absent on pages over plain http
      if (!media) throw new Error(t("bench.cameraInsecure"));
      stream = await media.getUserMedia({ video: { width: { ideal: 640 }, facingMode: "environment" } });
      if (over || !video.current) return stream.getTracks().forEach((one) => one.stop());
      video.current.srcObject = stream;
      await video.current.play();
      while (!over && video.current) {
        const began = performance.now();
        const picture = await frameOf(video.current);
        const [said] = picture ? await runner.run([{ name: "camera.jpg", picture }], asked.current) : [];
        if (over) break;
        if (said) setAnswer(said);
        const ms = performance.now() - began;
        setRate((had) => (had ? 0.8 * had + 200 / ms : 1000 / ms));
        await new Promise(requestAnimationFrame);
      }
    };
    look().catch((e: unknown) => !over && setError(e instanceof DOMException ? new Error(t("bench.cameraNone", { why: e.message })) : e));
    return () => {
      over = true;
      stream?.getTracks().forEach((one) => one.stop());
    };
  }, [runner, t]);

  const marks = answer ? shownOf(answer, task, threshold) : [];
  return (
    <section className="card space-y-3" aria-label={t("bench.cameraPicture")}>
      {error ? <ErrorNote error={error} /> : (
        <div className="grid gap-4 md:grid-cols-[3fr_2fr]">
          <div className="relative w-full self-start">
            <video ref={video} muted playsInline className="w-full rounded bg-raised" />
            {answer && <Marks marks={marks} width={answer.width} height={answer.height} />}
          </div>
          <div className="min-w-0 space-y-3">
            {answer && <Said answer={answer} task={task} threshold={threshold} />}
            {rate > 0 && <p className="numbers text-xs text-muted">{t("bench.fps", { n: number(rate, 1) })}</p>}
          </div>
        </div>
      )}
      <div className="flex flex-wrap gap-2">
        {!error && (
          <Button onClick={() => {
            if (video.current) void frameOf(video.current).then((picture) => picture && onPicture(picture));
          }}>{t("bench.snap")}</Button>
        )}
        <Button look="quiet" onClick={onClose}>{t("bench.cameraStop")}</Button>
      </div>
    </section>
  );
}

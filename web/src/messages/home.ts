// The first page.
import type { Rows } from "./rows";

export const home = {
  "home.hello": ["Hello, {name}", "{name}님, 안녕하세요"],
  "home.step1": ["Drop a folder of pictures, a zip or a tar below: it becomes a dataset.", "아래에 이미지 폴더나 zip, tar 파일을 놓으면 데이터셋이 됩니다."],
  "home.step2": ["Start training. The defaults are a good beginning.", "학습을 시작하세요. 기본 설정으로도 충분합니다."],
  "home.step3": ["Try the model on a picture of your own.", "직접 고른 이미지로 모델을 사용해 보세요."],
  "home.done": ["done", "완료"],
  "home.datasets": ["Latest datasets", "최근 데이터셋"],
  "home.jobs": ["Latest jobs", "최근 작업"],
} as const satisfies Rows;

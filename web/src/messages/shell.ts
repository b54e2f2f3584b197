// The frame around the pages: navigation, log-in, themes.
import type { Rows } from "./rows";

export const shell = {
  tagline: ["From a folder of images to a model that anyone can try.", "이미지 폴더에서 누구나 써 볼 수 있는 모델까지."],
  skip: ["Skip to the content", "본문으로 건너뛰기"],
  noPage: ["There is no such page.", "없는 페이지입니다."],
  nothingFound: ["Nothing found.", "찾은 결과가 없습니다."],
  mayNot: ["Your role does not allow this. Ask a manager.", "현재 역할로는 할 수 없습니다. 관리자에게 문의하세요."],
  unreachable: ["The server cannot be reached. Is it running, and are you online?", "서버에 연결할 수 없습니다. 서버가 실행 중인지, 네트워크가 연결되어 있는지 확인하세요."],
  showAll: ["Show all {n}", "{n}개 모두 보기"],
  showEvery: ["Show all", "모두 보기"],
  chooseFiles: ["Choose files", "파일 선택"],
  chooseFolder: ["Choose a folder", "폴더 선택"],
  "page.failed": ["This page has failed.", "이 페이지에 문제가 생겼습니다."],
  "page.failedText": ["The rest of the app goes on. If it happens again, this is what to report:", "앱의 나머지는 계속 동작합니다. 다시 발생하면 아래 내용을 알려 주세요:"],
  "page.reload": ["Load anew", "새로 고침"],
  "online.lost": ["The server cannot be reached. What you see may be old; it is tried again.", "서버에 연결할 수 없습니다. 보이는 내용이 최신이 아닐 수 있으며, 다시 시도하고 있습니다."],
  "online.back": ["The connection is back.", "다시 연결되었습니다."],
  "nav.manage": ["Manage", "관리"],
  "nav.more": ["More", "더 보기"],
  "theme.system": ["As the system", "시스템 설정"],
  "theme.light": ["Light", "밝게"],
  "theme.dark": ["Dark", "어둡게"],
  "login.again": ["Log in again", "다시 로그인"],
  "login.againText": ["Your session has ended. The page behind this stays as it is.", "세션이 끝났습니다. 뒤의 페이지는 그대로 유지됩니다."],
  "login.linkHint": ["First time here? Open the link that `anneal serve` printed when it started.", "처음이신가요? `anneal serve`를 시작할 때 출력된 링크를 여세요."],
} as const satisfies Rows;

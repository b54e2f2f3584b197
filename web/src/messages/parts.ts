// Parts of general use: confirmations, tables, toasts, the command palette, the sheet of keys.
import type { Rows } from "./rows";

export const parts = {
  "menu.more": ["More actions", "다른 작업"],
  "confirm.lost": ["This is lost:", "사라지는 것:"],
  "chart.toggle": ["Show or hide {name}", "{name} 표시 또는 숨기기"],
  "chart.whole": ["Show all", "전체 보기"],
  "table.sort": ["Sort by {column}", "{column} 기준 정렬"],
  "toast.label": ["Notifications", "알림"],
  "palette.title": ["Go to anything", "무엇이든 찾기"],
  "palette.hint": ["Pages, datasets, jobs, models, actions", "페이지, 데이터셋, 작업, 모델, 명령"],
  "palette.pages": ["Pages", "페이지"],
  "palette.actions": ["Actions", "명령"],
  "palette.none": ["Nothing has this name.", "그런 이름이 없습니다."],
  "palette.open": ["Search", "검색"],
  "palette.theme": ["Theme: {name}", "테마: {name}"],
  "palette.language": ["Language: {name}", "언어: {name}"],
  "keys.title": ["Keys", "단축키"],
  "keys.everywhere": ["Everywhere", "어디서나"],
  "keys.page": ["On this page", "이 페이지"],
  "keys.go": ["Go to {page}", "{page} 열기"],
  "keys.palette": ["Search and commands", "검색과 명령"],
  "keys.help": ["This sheet", "이 목록"],
  "keys.or": ["or", "또는"],
  "keys.then": ["then", "다음"],
} as const satisfies Rows;

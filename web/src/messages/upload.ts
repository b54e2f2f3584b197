// Uploads and imports.
import type { Rows } from "./rows";

export const upload = {
  "upload.first": ["Drop your pictures here", "여기에 이미지를 놓으세요"],
  "upload.title": ["Add a dataset", "데이터셋 추가"],
  "upload.version": ["Add a version", "버전 추가"],
  "upload.hint": [
    "A zip or tar, or a folder with one subfolder for each class; also YOLO, COCO, Pascal VOC and ICDAR. Pictures without labels can be labelled here. A dataset of the same name gets a further version.",
    "zip이나 tar, 또는 클래스마다 하위 폴더가 있는 폴더. YOLO, COCO, Pascal VOC, ICDAR도 됩니다. 라벨이 없는 이미지는 여기에서 라벨을 붙일 수 있습니다. 같은 이름의 데이터셋이 있으면 새 버전이 추가됩니다.",
  ],
  "upload.list": ["Uploads", "업로드"],
  "upload.sending": ["Sending: {part} of {size}", "전송 중: {size} 중 {part}"],
  "upload.paused": ["Paused at {part} of {size}", "{size} 중 {part}에서 멈춤"],
  "upload.waiting": ["No connection at {part} of {size}: it goes on by itself", "{size} 중 {part}에서 연결이 끊겼습니다. 연결되면 이어집니다"],
  "upload.interrupted": ["Interrupted at {part} of {size}: choose the same files again to go on", "{size} 중 {part}에서 중단됨: 같은 파일을 다시 고르면 이어집니다"],
  "upload.pause": ["Pause", "잠시 멈춤"],
  "upload.resume": ["Go on", "이어서"],
  "upload.importing": ["Importing: {part}, {n} {n|picture|pictures} checked", "가져오는 중: {part}, 이미지 {n}장 확인됨"],
  "upload.done": ["Imported: {n} {n|picture|pictures}, {faults} {faults|fault|faults}", "가져오기 완료: 이미지 {n}장, 문제 {faults}건"],
  "upload.failed": ["Not imported", "가져오지 못했습니다"],
  "upload.look": ["Look at it", "살펴보기"],
  "import.failed": ["The last import failed: {why}", "마지막 가져오기 실패: {why}"],
} as const satisfies Rows;

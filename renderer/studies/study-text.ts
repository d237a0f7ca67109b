import { dateText } from "../ask/words.ts";
import type { Study } from "../../core/study.ts";

/** DICOM TM as hours and minutes. */
export function timeText(time: string): string {
  return /^\d{4}/.test(time) ? `${time.slice(0, 2)}:${time.slice(2, 4)}` : "";
}

/** "F, born 1958-03-02"; parts that the header does not have are left out. */
export function personText(study: Pick<Study, "patientSex" | "patientBirthDate">): string {
  const born = study.patientBirthDate ? `born ${dateText(study.patientBirthDate)}` : "";
  return [sexText(study.patientSex), born].filter((part) => part !== "").join(", ");
}

/** Patient's Sex (0010,0040): M and F as every radiologist writes them, O in words. */
export function sexText(sex: string): string {
  return sex === "O" ? "Sex other" : sex;
}

export function countText(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** An ISO 8601 moment in this computer's time, as dates and times stand everywhere else; empty where there is none. */
export function momentText(iso: string): string {
  const moment = new Date(iso);
  if (iso === "" || Number.isNaN(moment.getTime())) return "";
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join("-");
  return `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

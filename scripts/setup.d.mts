import type { SpawnOptions } from "node:child_process";

export const root: string;
export function nodeProblem(): string | null;
export function ensureDependencies(step: (text: string) => void): Promise<boolean>;
export function ensureBuild(step: (text: string) => void): Promise<void>;
export function build(): Promise<void>;
export function run(command: string, args: readonly string[], options?: SpawnOptions): Promise<void>;
export function readJson(file: string): unknown;

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "rolldown/parseAst";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The folders of the product; each runs in one runtime. */
export const folders = ["core", "archive", "models", "host", "electron", "renderer"] as const;
export type Folder = (typeof folders)[number];

export interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** Relative to the root, with "/". */
  readonly name: string;
  readonly folder: Folder;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly hasDefaultExport: boolean;
  readonly onlyReexports: boolean;
}

// Not ours to import: data, and the Python recipes.
const skipped = new Set(["packs", "training", "node_modules", "__pycache__"]);

export function readSources(): SourceFile[] {
  return folders.flatMap((folder) =>
    filesBelow(folder)
      .filter(isSource)
      .map((name) => readSource(name, folder)),
  );
}

function isSource(name: string): boolean {
  return /\.(ts|tsx|mts|js|mjs)$/.test(name) && !name.endsWith(".d.ts");
}

export function filesBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return [];
    const name = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(name) : [name];
  });
}

interface Node {
  readonly type: string;
  readonly [member: string]: unknown;
}

function readSource(name: string, folder: Folder): SourceFile {
  const text = readFileSync(path.join(root, name), "utf8");
  const program = parseAst(text, { lang: name.endsWith("x") ? "tsx" : "ts" }) as unknown as { body: Node[] };
  const imports: Import[] = [];
  visit(program, (node) => {
    const from = sourceOf(node);
    if (from === null) return;
    const kind = node["importKind"] ?? node["exportKind"];
    imports.push({ from, typeOnly: kind === "type" });
  });
  const { body } = program;
  return {
    name,
    folder,
    text,
    imports,
    hasDefaultExport: body.some(
      (node) => node.type === "ExportDefaultDeclaration" || exportedNames(node).includes("default"),
    ),
    onlyReexports:
      body.length > 0 && body.every((node) => node.type.startsWith("Export") && sourceOf(node) !== null),
  };
}

/** The text that a node imports from: statically, dynamically, by `require`, or as a type. */
function sourceOf(node: Node): string | null {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
      return literal(node["source"]);
    case "TSImportType":
      return literal(node["source"] ?? (node["argument"] as Node | undefined)?.["literal"]);
    case "CallExpression": {
      const callee = node["callee"] as Node;
      return callee["name"] === "require" ? literal((node["arguments"] as Node[])[0]) : null;
    }
    default:
      return null;
  }
}

function literal(node: unknown): string | null {
  const value = (node as Node | null | undefined)?.["value"];
  return typeof value === "string" ? value : null;
}

function exportedNames(node: Node): string[] {
  const specifiers = (node["specifiers"] ?? []) as Node[];
  if (!node.type.startsWith("Export")) return [];
  return specifiers.map((specifier) => {
    const exported = specifier["exported"] as Node;
    return String(exported["name"] ?? exported["value"]);
  });
}

function visit(node: unknown, found: (node: Node) => void): void {
  if (Array.isArray(node)) for (const item of node) visit(item, found);
  else if (typeof node === "object" && node !== null) {
    if (typeof (node as Node).type === "string") found(node as Node);
    for (const value of Object.values(node)) visit(value, found);
  }
}

/** The file of ours that an import names; null for a package or a module of Node. */
export function importedFile(file: SourceFile, from: string): string | null {
  return from.startsWith(".") ? path.posix.join(path.posix.dirname(file.name), from) : null;
}

/** "@scope/name" or "name", or "node:" for Node's own. */
export function packageOf(from: string): string {
  if (from.startsWith("node:")) return "node:";
  const parts = from.split("/");
  return from.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
}

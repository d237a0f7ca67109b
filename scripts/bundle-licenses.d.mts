export function packageFolders(modules: readonly string[]): string[];
export function licenseTexts(folders: readonly string[]): string;

export const unbundled: readonly string[];
export function staysOutside(id: string): boolean;

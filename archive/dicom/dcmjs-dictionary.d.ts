declare module "dcmjs/dictionary" {
  export const dictionary: Record<string, { readonly vr: string; readonly name: string }>;
}

// For code that comes without an eslint.config of its own.
import js from "@eslint/js";
import globals from "globals";
import typescript from "typescript-eslint";

export default [
  js.configs.recommended,
  { languageOptions: { globals: { ...globals.node, ...globals.jest } } },
  ...typescript.configs.recommended.map((config) => ({ ...config, files: ["**/*.{ts,tsx,mts,cts}"] })),
];

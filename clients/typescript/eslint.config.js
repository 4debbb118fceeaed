// typescript-eslint's strictest rules that know types, and its style.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "test-out", "src/gen", "programs/ding-dong.d.ts"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A number in a text is no accident: `UNKNOWN(77)` is a type of its own.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  { files: ["**/*.js"], ...tseslint.configs.disableTypeChecked },
);

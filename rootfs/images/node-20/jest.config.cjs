// For tests that come without settings of their own: JavaScript and TypeScript, with `import` or `require`.
// Types are taken off, not looked at.
const transform = {
  presets: [require.resolve("@babel/preset-typescript")],
  plugins: [require.resolve("@babel/plugin-transform-modules-commonjs")],
  babelrc: false,
  configFile: false,
};

module.exports = {
  rootDir: process.cwd(),
  moduleFileExtensions: ["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "json", "node"],
  testMatch: ["**/__tests__/**/*.{js,mjs,cjs,jsx,ts,mts,cts,tsx}", "**/?(*.)+(spec|test).{js,mjs,cjs,jsx,ts,mts,cts,tsx}"],
  transform: { "\\.[cm]?[jt]sx?$": [require.resolve("babel-jest"), transform] },
};

import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/{unit,contract,cli}/**/*.test.ts"],
    setupFiles: ["test/support/nonce-guard.ts", "test/support/thread-pool.ts", "test/support/open-files.ts"],
    // By itself it leaves a core free, which on two of them is half of the machine.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
})

import { defineConfig } from 'vitest/config'

// The browser tests: they drive a real Chromium against FAIRWAY_URL, or against
// the built UI in front of a mock server when that is not set.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['e2e/**/*.e2e.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})

import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// FAIRWAY_URL points the development server at a running Fairway; the default is
// where `fairway server` listens.
const server = process.env.FAIRWAY_URL ?? 'http://127.0.0.1:7878'
const proxy = Object.fromEntries(['/v1', '/openapi.json'].map((path) => [path, { target: server, changeOrigin: true }]))

export default defineConfig({
  plugins: [react()],
  server: { host: '127.0.0.1', proxy },
  preview: { host: '127.0.0.1', proxy },
  build: {
    // The Go package embeds dist and needs a file in it even without a build; a build
    // empties dist, so public/ carries dist/.keep along.
    chunkSizeWarningLimit: 900,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    testTimeout: 20_000,
    setupFiles: ['src/test/setup.ts'],
  },
})

import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// FAIRWAY_URL points the development server at a running Fairway; the default is
// where `fairway server` listens.
const server = process.env.FAIRWAY_URL ?? 'http://127.0.0.1:7600'
const proxy = Object.fromEntries(['/v1', '/openapi.json'].map((path) => [path, { target: server, changeOrigin: true }]))

export default defineConfig({
  plugins: [react()],
  server: { host: '127.0.0.1', proxy },
  preview: { host: '127.0.0.1', proxy },
  build: {
    // dist/.keep is in the repository so that the Go package compiles without a
    // build; src/build.ts would be overkill, so public/ carries the same file.
    chunkSizeWarningLimit: 900,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/test/setup.ts'],
  },
})

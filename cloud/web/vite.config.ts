import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `npm run dev` serves the page with hot reload and hands the API and the media to a running gleaner-cloud.
const server = process.env.GLEANER_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // The server's content security policy allows files of its own origin only, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '^/gleaner\\.v1\\.': server, '/media': server, '/frames': server, '^/(signed/)?datasets/': server, '/events': server, '/login': server },
  },
});

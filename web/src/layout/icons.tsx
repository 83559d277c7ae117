import type { SVGProps } from 'react'

// Drawn on a grid of 16; the stroke takes the text's colour.
const paths = {
  check: 'M3 8.5l3.2 3.2L13 4.8',
  cross: 'M4 4l8 8M12 4l-8 8',
  play: 'M5 3.5v9l7.5-4.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  back: 'M6.5 3.5L2.5 7.5l4 4M3 7.5h6a4 4 0 0 1 4 4v1',
  clock: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 5v3.2l2.2 1.4',
  skip: 'M3.5 4l5 4-5 4zM12 4v8',
  freeze: 'M8 1.8v12.4M2.6 4.9l10.8 6.2M13.4 4.9L2.6 11.1M6.2 2.8L8 4.4l1.8-1.6M6.2 13.2L8 11.6l1.8 1.6',
  question: 'M5.6 6a2.4 2.4 0 1 1 3.5 2.1c-.7.4-1.1.8-1.1 1.6M8 12.3v.2',
  warning: 'M8 2.2l6.2 11H1.8zM8 6.3v3.2M8 11.4v.2',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M12.8 3.2l-1.1 1.1M4.3 11.7l-1.1 1.1',
  moon: 'M13.2 9.8A5.8 5.8 0 1 1 6.2 2.8a4.7 4.7 0 0 0 7 7z',
  copy: 'M5.5 5.5h7v8h-7zM10.5 5.5v-3h-7v8h2',
  person: 'M8 8a2.7 2.7 0 1 0 0-5.4A2.7 2.7 0 0 0 8 8zM2.8 13.6c.5-2.6 2.6-4 5.2-4s4.7 1.4 5.2 4',
  link: 'M6.5 9.5l3-3M7 4.8l1.6-1.6a2.9 2.9 0 0 1 4.2 4.2L11.2 9M9 11.2l-1.6 1.6a2.9 2.9 0 0 1-4.2-4.2L4.8 7',
  dot: 'M8 7.9v.2',
  target: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 5.4a2.6 2.6 0 1 0 0 5.2A2.6 2.6 0 0 0 8 5.4zM8 7.9v.2',
  stop: 'M5.3 2h5.4L14 5.3v5.4L10.7 14H5.3L2 10.7V5.3z',
} as const

export type IconName = keyof typeof paths

export const Icon = ({ name, size = 16, ...rest }: { name: IconName; size?: number } & SVGProps<SVGSVGElement>) => (
  <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth={name === 'dot' ? 4 : 1.6}
    strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false" {...rest}>
    <path d={paths[name]} />
  </svg>
)

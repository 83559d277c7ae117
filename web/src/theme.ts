import { createTheme } from '@mantine/core'

/** The shape of Mantine's parts; the colours are in styles.css. */
export const theme = createTheme({
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  // From text on dark ground to the ground itself.
  colors: { dark: ['#e8edf2', '#b3bfca', '#8f9ca8', '#6f7d8a', '#41505e', '#2a3540', '#1e2831', '#182028', '#131a21', '#10161c'] },
  primaryColor: 'blue',
  primaryShade: { light: 8, dark: 7 },
  defaultRadius: 6,
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
})

import { createTheme } from '@mantine/core'

/** The shape of Mantine's parts; the colours are in styles.css. */
export const theme = createTheme({
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  primaryColor: 'blue',
  primaryShade: { light: 8, dark: 7 },
  defaultRadius: 6,
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
})

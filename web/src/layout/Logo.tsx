/** A channel between two banks, with its middle line. */
export const Logo = () => (
  <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="7" fill="#12324a" />
    <path d="M8 26 13 6h2.4l-2.6 20zM24 26 19 6h-2.4l2.6 20z" fill="#fff" />
    <path d="M15.2 22h1.6v4h-1.6zM15.3 14h1.4v4h-1.4zM15.4 7h1.2v3.5h-1.2z" fill="#f2a33a" />
  </svg>
)

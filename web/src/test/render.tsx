import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { render } from '@testing-library/react'
import type { ReactNode } from 'react'
import { newQueryClient } from '../api/queries.ts'
import { theme } from '../theme.ts'

/** Renders with everything that a view finds around it, and waits until it is there. */
export async function show(children: ReactNode) {
  const root = createRootRoute({ component: () => <div data-testid="shown">{children}</div> })
  const router = createRouter({ routeTree: root, history: createMemoryHistory({ initialEntries: ['/'] }), defaultNotFoundComponent: () => null })
  const result = render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={newQueryClient()}><RouterProvider router={router as never} /></QueryClientProvider>
    </MantineProvider>,
  )
  await result.findByTestId('shown')
  return result
}

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import type { RunState } from './api/types.ts'
import { FreezesPage } from './freezes/FreezesPage.tsx'
import { NotFound, RouteFault } from './layout/Fallback.tsx'
import { Shell } from './layout/Shell.tsx'
import { ReleasesPage } from './releases/ReleasesPage.tsx'
import { runStates } from './releases/states.ts'
import { ServicesPage } from './services/ServicesPage.tsx'

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: RouteFault })

const services = createRoute({ getParentRoute: () => root, path: '/', component: ServicesPage })

const releases = createRoute({
  getParentRoute: () => root,
  path: '/releases',
  component: ReleasesPage,
  validateSearch: (search: Record<string, unknown>): { service?: string; state?: RunState } => ({
    service: typeof search.service === 'string' && search.service ? search.service : undefined,
    state: runStates.find((state) => state === search.state),
  }),
})

const release = createRoute({
  getParentRoute: () => root,
  path: '/releases/$release',
  // The charts' code comes when they are looked at.
  component: lazyRouteComponent(() => import('./release/ReleasePage.tsx'), 'ReleasePage'),
})

const freezes = createRoute({ getParentRoute: () => root, path: '/freezes', component: FreezesPage })

const pages = [services, releases, release, freezes]

// Stories are for who works on the pages; a build leaves them out.
const stories = () =>
  createRoute({
    getParentRoute: () => root,
    path: '/stories',
    component: lazyRouteComponent(() => import('./stories/StoriesPage.tsx'), 'StoriesPage'),
  })

export const newRouter = () =>
  createRouter({
    routeTree: root.addChildren(import.meta.env.DEV ? [...pages, stories()] : pages),
    defaultPreload: false,
    scrollRestoration: true,
  })

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof newRouter>
  }
}

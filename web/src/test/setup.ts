// What the component tests' document lacks or must not do.

import { cleanup } from '@testing-library/react'
import { afterEach, vi } from 'vitest'

afterEach(cleanup)

// happy-dom knows no fonts, which growing text fields listen to.
Object.defineProperty(document, 'fonts', { value: new EventTarget() })

// happy-dom has no canvas: charts are looked at in a real browser, here only their legends are.
vi.mock('uplot', () => {
  class Plot {
    data: unknown[]
    scales = { x: {}, y: {} }
    constructor(_: unknown, data: unknown[]) { this.data = data }
    static paths = { stepped: () => () => null }
    static sync = () => ({})
    setData(data: unknown[]) { this.data = data }
    setSize() {}
    redraw() {}
    destroy() {}
  }
  return { default: Plot }
})

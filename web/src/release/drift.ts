import type { Drift } from '../api/types.ts'

/** Something that what runs is not as somebody says. */
export interface Saying {
  /** Who says otherwise, with its verb: "the release says". */
  says: string
  fields: string[]
  since: string | undefined
}

/** Who says otherwise: the release, the repository, or both of them the same. */
export function sayings(drift: Drift | undefined): Saying[] {
  const plan = drift?.fields ?? []
  const git = drift?.git?.fields ?? []
  if (plan.length > 0 && plan.join('\n') === git.join('\n')) {
    return [{ says: 'the release and the repository say', fields: plan, since: drift?.since }]
  }
  return [
    { says: 'the release says', fields: plan, since: drift?.since },
    { says: 'the repository says', fields: git, since: drift?.git?.since },
  ].filter(({ fields }) => fields.length > 0)
}

/** The first fields in a line, and how many more there are; the last may say so itself. */
export function few(fields: string[], most: number): string {
  if (fields.length <= most) return fields.join(', ')
  const hidden = /^(\d+) more$/.exec(fields.at(-1)!)
  const more = hidden ? fields.length - 1 - most + Number(hidden[1]) : fields.length - most
  return `${fields.slice(0, most).join(', ')} and ${more} more`
}

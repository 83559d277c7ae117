// The types of the wire, as the server's Go types write them. Times are RFC 3339
// texts and are left out when zero; durations are texts such as "10m".

export type RunState = 'pending' | 'running' | 'rolling-back' | 'succeeded' | 'rolled-back' | 'failed' | 'superseded' | 'cancelled'

export type EnvironmentState =
  | 'pending' | 'running' | 'rolling-back' | 'succeeded' | 'rolled-back' | 'failed' | 'skipped' | 'cancelled'

export type StageState =
  | 'pending' | 'running' | 'passed' | 'failed' | 'cancelled' | 'undoing' | 'undone' | 'undo-failed' | 'skipped'

export type Kind = 'gate' | 'approval' | 'deploy' | 'check' | 'job' | 'canary' | 'promote' | 'watch' | 'notify'

export interface Me {
  user: string
  roles: string[] | null
  csrf?: string
}

export interface Login {
  user?: string
  password?: string
  token?: string
}

export interface Page<T> {
  items: T[] | null
  next?: string
}

export interface ServiceEnvironment {
  name: string
  home?: string
  homeVersion?: string
  moving?: string
  queue?: string[] | null
  frozen?: string
}

export interface Service {
  name: string
  owner?: string
  environments: ServiceEnvironment[] | null
}

export interface Release {
  id: string
  service: string
  version: string
  artifact: string
  digest: string
  author: string
  note?: string
  planHash: string
  rollbackTo?: string
  state: RunState
  environment?: string
  createdAt: string
  endedAt?: string
}

export interface Approval {
  roles: string[] | null
  count: number
  expires: string
}

export interface PlanStage {
  name: string
  kind: Kind
  timeLimit: string
  undo?: string
  gate?: { when: string; message?: string }
  approval?: Approval
  canary?: { firstWeight?: number; dwell?: string; observation?: string; holdback?: number }
  promote?: { strategy: string; batches?: number; pause?: string }
  watch?: { for: string; holdback: number }
  notify?: { webhook: string; message?: string }
}

export interface PlanEnvironment {
  name: string
  region?: string
  platform: string
  needs?: { environment: string; for?: string }[] | null
  skipRoles?: string[] | null
  onUndecided: 'hold' | 'promote' | 'rollback'
  falseAlarm: number
  stages: PlanStage[] | null
}

export interface Plan {
  version: number
  service: string
  owner?: string
  environments: PlanEnvironment[] | null
  supersede?: boolean
  expectedRate?: number
  expectedErrors?: number
}

export interface ApprovalGiven {
  by: string
  roles: string[] | null
  reason?: string
  at: string
}

export interface StageRun {
  state: StageState
  startedAt?: string
  endedAt?: string
  deadline?: string
  reason?: string
  exposed?: boolean
  asks?: string
  approvals?: ApprovalGiven[] | null
}

export interface EnvironmentRun {
  name: string
  state: EnvironmentState
  lane?: '' | 'queued' | 'held'
  frozen?: string
  stage: number
  stages: StageRun[] | null
  reason?: string
  failedStage?: string
  startedAt?: string
  endedAt?: string
  heldSince?: string
}

export interface Run {
  version: number
  state: RunState
  author: string
  environments: EnvironmentRun[] | null
  paused?: { by: string; reason?: string; at: string }
  createdAt: string
  endedAt?: string
}

export interface Interval {
  known: boolean
  value: number
  low: number
  high: number
  /** Too little data for an upper bound; high is then the highest seen. */
  open?: boolean
}

export interface ArmPoint {
  requests: number
  errors: number
  error: Interval
  p50: Interval
  p99: Interval
}

export interface Point {
  id: number
  at: string
  environment: string
  stage: string
  weight: number
  evidence: number
  missing?: string
  stable: ArmPoint
  canary: ArmPoint
}

export interface Progress {
  now: string
  next?: string
  nextAt?: string
  weight: number
  verdict?: Verdict
}

export type Action = 'approve' | 'reject' | 'pause' | 'resume' | 'rollback' | 'skip' | 'decide'

export interface ReleaseDetail extends Release {
  plan: Plan | null
  run: Run
  live: Record<string, Progress> | null
  headline: string
  next?: string
  nextAt?: string
  actions: Action[] | null
  asks?: string
  queue?: string[] | null
}

export interface Event {
  release: string
  seq: number
  at: string
  kind: string
  actor: string
  environment?: string
  stage?: string
  text: string
  data?: unknown
  previous: string
  hash: string
}

export interface Freeze {
  id: string
  service?: string
  environment?: string
  reason: string
  by: string
  from: string
  until?: string
  rule?: string
  for?: string
}

export interface NewFreeze {
  service?: string
  environment?: string
  reason: string
  from?: string
  until?: string
  rule?: string
  for?: string
}

export interface Verification {
  release: string
  lines: number
  ok: boolean
  broken?: string
  head: string
}

export interface Problem {
  type?: string
  title: string
  status: number
  detail?: string
  code?: string
  hint?: string
}

// Verdict is what the judge says, with its numbers. Durations are nanoseconds here.
export interface Verdict {
  kind: 'pass' | 'fail' | 'hold'
  reason: 'not worse' | 'worse' | 'leans to harm' | 'collecting' | 'suspicious' | 'undecided' | 'no evidence'
  detail?: string
  forPerson?: boolean
  /** The weight of evidence for harm; a rollback needs the threshold. */
  evidence: number
  threshold: number
  strongest: number
  /** Natural logarithms: the weakest metric's proof of being no worse, and what a pass needs. */
  proof: number
  proofThreshold: number
  weight: number
  observed: number
  atMiddle: number
  watching?: boolean
  metrics?: MetricVerdict[] | null
}

export interface MetricVerdict {
  name: string
  /** The latency in seconds above which a request counts as bad; 0 or absent for errors. */
  bound?: number
  canary: ArmVerdict
  stable: ArmVerdict
  ratio?: { low: number; high: number } | null
  extra: number
  evidence: number
  share: number
  proof: number
  tolerated: number
  margin: number
  instanceAllowance: number
}

export interface ArmVerdict {
  bad: number
  requests: number
  rate: number
  interval: { low: number; high: number }
}

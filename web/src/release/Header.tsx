import { ActionIcon, CopyButton, Tooltip } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReleaseDetail } from '../api/types.ts'
import { shortDigest } from '../format/number.ts'
import { Time } from '../format/Time.tsx'
import { Icon } from '../layout/icons.tsx'
import { final } from '../releases/states.ts'
import { DrillBadge, StateBadge } from '../releases/StateBadge.tsx'
import { titleOf } from './run.ts'
import classes from './Header.module.css'

export const Header = ({ detail }: { detail: ReleaseDetail }) => (
  <div className={classes.header}>
    <nav aria-label="Where this is" className={classes.crumbs}>
      <Link to="/releases">Releases</Link><span aria-hidden="true">/</span>
      <Link to="/releases" search={{ service: detail.service }}>{detail.service}</Link>
    </nav>
    <div className={classes.title}>
      <h1 className="wrap">{detail.service} <span className={classes.version}>{titleOf(detail).slice(detail.service.length + 1)}</span></h1>
      {detail.drillOf && <DrillBadge />}
      <StateBadge state={detail.state} paused={Boolean(detail.run.paused) && !final(detail.state)} />
    </div>
    <dl className={classes.facts}>
      <Fact name="Author">{detail.author}</Fact>
      <Fact name="Created"><Time at={detail.createdAt} exact /></Fact>
      {detail.endedAt && <Fact name="Ended"><Time at={detail.endedAt} exact /></Fact>}
      <Fact name="Digest"><Copyable text={detail.digest} short={shortDigest(detail.digest)} what="digest" /></Fact>
      {(detail.with ?? []).map((other) => (
        <Fact key={other.service} name={`Digest of ${other.service}`}><Copyable text={other.digest} short={shortDigest(other.digest)} what={`digest of ${other.service}`} /></Fact>
      ))}
      <Fact name="Plan"><Copyable text={detail.planHash} short={detail.planHash.slice(0, 8)} what="plan's hash" /></Fact>
      {detail.drillOf && <Fact name="Drill of"><Link to="/releases/$release" params={{ release: detail.drillOf }}>what was at home</Link></Fact>}
      {detail.rollbackTo && <Fact name="Brings back"><Link to="/releases/$release" params={{ release: detail.rollbackTo }}>an older release</Link></Fact>}
    </dl>
    {detail.note && <p className="quiet wrap">{detail.note}</p>}
  </div>
)

const Fact = ({ name, children }: { name: string; children: React.ReactNode }) => (
  <div className={classes.fact}><dt>{name}</dt><dd>{children}</dd></div>
)

const Copyable = ({ text, short, what }: { text: string; short: string; what: string }) => (
  <span className={classes.copyable}>
    <Tooltip label={text} multiline maw={360} className="wrap"><span className="mono">{short}</span></Tooltip>
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <ActionIcon size={20} variant="subtle" color="gray" onClick={copy} aria-label={copied ? `The ${what} is copied` : `Copy the ${what}`}>
          <Icon name={copied ? 'check' : 'copy'} size={13} />
        </ActionIcon>
      )}
    </CopyButton>
  </span>
)

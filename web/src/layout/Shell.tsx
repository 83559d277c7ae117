import { Menu } from '@mantine/core'
import { Link, Outlet } from '@tanstack/react-router'
import { Fault } from '../api/client.ts'
import { useFreezes, useLogout, useMe } from '../api/queries.ts'
import type { Me } from '../api/types.ts'
import { active } from '../freezes/windows.ts'
import { useNow } from '../format/useNow.ts'
import { LoginPage } from '../login/LoginPage.tsx'
import { ColorSchemeToggle } from './ColorSchemeToggle.tsx'
import { Failed, Loading } from './Fallback.tsx'
import { Icon } from './icons.tsx'
import { Logo } from './Logo.tsx'
import classes from './Shell.module.css'

/** Everything around a page. Who is not known sees the login instead, at the same address. */
export function Shell() {
  const me = useMe()
  if (me.error instanceof Fault && me.error.status === 401) return <LoginPage />
  return (
    <>
      <a className="skip-link" href="#main">To the content</a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to="/" className={classes.brand} aria-label="Fairway"><Logo /><span>Fairway</span></Link>
          {me.data && (
            <nav aria-label="Main" className={classes.nav}>
              <Link to="/" activeOptions={{ exact: true }}>Services</Link>
              <Link to="/releases">Releases</Link>
              <Link to="/freezes">Freezes</Link>
            </nav>
          )}
          <div className={classes.end}>
            {me.data && <Stopped />}
            <ColorSchemeToggle />
            {me.data && <Account me={me.data} />}
          </div>
        </div>
      </header>
      {me.data ? <Outlet /> : (
        <main className="page" id="main">
          <div className="panel">
            {me.error ? <Failed error={me.error} what="session" retry={() => void me.refetch()} /> : <Loading what="session" />}
          </div>
        </main>
      )}
    </>
  )
}

/** Reminds on every page that lanes are frozen now. */
function Stopped() {
  const freezes = useFreezes()
  const now = useNow()
  const count = (freezes.data ?? []).filter((freeze) => active(freeze, now)).length
  if (count === 0) return null
  return (
    <Link to="/freezes" className={classes.frozen}>
      <Icon name="freeze" size={14} />{count === 1 ? '1 freeze' : `${count} freezes`}
    </Link>
  )
}

function Account({ me }: { me: Me }) {
  const logout = useLogout()
  return (
    <Menu position="bottom-end" withArrow>
      <Menu.Target>
        <button type="button" className={classes.account} aria-label={`Account of ${me.user}`}>
          <Icon name="person" /><span>{me.user}</span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.user}: {me.roles?.join(', ') || 'no roles'}</Menu.Label>
        <Menu.Item onClick={() => logout.mutate()}>Log out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

import { Button, PasswordInput, SegmentedControl, TextInput } from '@mantine/core'
import { useState, type FormEvent } from 'react'
import { useLogin } from '../api/queries.ts'
import { ColorSchemeToggle } from '../layout/ColorSchemeToggle.tsx'
import { InlineFault } from '../layout/Fallback.tsx'
import { Logo } from '../layout/Logo.tsx'
import classes from './LoginPage.module.css'

/** Opens a session with a token, or with a name and a password. */
export function LoginPage() {
  const [way, setWay] = useState('token')
  const [token, setToken] = useState('')
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const login = useLogin()

  const submit = (event: FormEvent) => {
    event.preventDefault()
    login.mutate(way === 'token' ? { token: token.trim() } : { user: user.trim(), password })
  }
  const complete = way === 'token' ? token.trim() !== '' : user.trim() !== '' && password !== ''

  return (
    <main className={classes.page} id="main">
      <div className={classes.corner}><ColorSchemeToggle /></div>
      <form className={`panel ${classes.form}`} onSubmit={submit} aria-label="Log in">
        <div className={classes.brand}><Logo /><h1>Fairway</h1></div>
        <SegmentedControl fullWidth value={way} onChange={(value) => { setWay(value); login.reset() }} aria-label="How to log in"
          data={[{ value: 'token', label: 'Token' }, { value: 'password', label: 'Password' }]} />
        {way === 'token' ? (
          <PasswordInput key="token" label="Token" description="The first one was printed when the server started for the first time."
            value={token} onChange={(event) => setToken(event.currentTarget.value)} autoFocus autoComplete="off" />
        ) : (
          <>
            <TextInput key="user" label="User" value={user} onChange={(event) => setUser(event.currentTarget.value)} autoFocus autoComplete="username" />
            <PasswordInput key="password" label="Password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} autoComplete="current-password" />
          </>
        )}
        <InlineFault error={login.error} />
        <Button type="submit" fullWidth disabled={!complete} loading={login.isPending}>Log in</Button>
      </form>
    </main>
  )
}

import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { stories } from './stories.tsx'
import classes from './StoriesPage.module.css'

/** Renders each view with sample data, one at a time; only in development. */
export function StoriesPage() {
  const [chosen, setChosen] = useState(() => decodeURIComponent(location.hash.slice(1)) || stories[0]!.name)
  const story = stories.find(({ name }) => name === chosen) ?? stories[0]!
  return (
    <div className={classes.page}>
      <nav className={classes.list} aria-label="Stories">
        {stories.map(({ name }) => (
          <Link key={name} to="." hash={name} aria-current={name === chosen || undefined} onClick={() => setChosen(name)}>{name}</Link>
        ))}
      </nav>
      <div key={story.name} className={classes.story}>{story.render()}</div>
    </div>
  )
}

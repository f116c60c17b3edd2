import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';

// Scrollers keep room for their bar; the content of all of them, and of the heads above them, ends at one line.
const probe = document.body.appendChild(document.createElement('div'));
probe.style.cssText = 'position: absolute; width: 60px; overflow: auto; scrollbar-gutter: stable';
document.documentElement.style.setProperty('--scrollbar', `${probe.offsetWidth - probe.clientWidth}px`);
probe.remove();

mount(App, { target: document.getElementById('app')! });

// What every view must pass, whatever it shows: run inside the page by page.evaluate.

/** Sentences about what a screen reader could not name, or what stands twice; none is good. */
export function accessibilityProblems() {
  const problems = [];
  const visible = (element) => element.checkVisibility?.({ visibilityProperty: true }) ?? true;
  const say = (element) => element.outerHTML.slice(0, 140).replace(/\s+/g, ' ');
  const text = (ids) =>
    (ids ?? '')
      .split(/\s+/)
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' ');
  const name = (element) =>
    (
      element.getAttribute('aria-label') ||
      text(element.getAttribute('aria-labelledby')) ||
      [...(element.labels ?? [])].map((label) => label.textContent).join(' ') ||
      element.textContent ||
      [...element.querySelectorAll('img[alt]')].map((image) => image.alt).join(' ') ||
      element.getAttribute('title') ||
      ''
    ).trim();
  const named = 'a[href], button, input, select, textarea, summary, video, dialog[open], nav, aside, [role=slider], [role=meter], [role=img], [role=group]';
  for (const element of document.querySelectorAll(named)) {
    if (visible(element) && !name(element)) problems.push(`no accessible name: ${say(element)}`);
  }
  for (const image of document.querySelectorAll('img')) {
    if (!image.hasAttribute('alt')) problems.push(`no alt: ${say(image)}`);
  }
  for (const svg of document.querySelectorAll('svg')) {
    if (svg.getAttribute('aria-hidden') !== 'true' && !name(svg)) problems.push(`an unnamed picture: ${say(svg)}`);
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) problems.push(`id twice: ${id}`);
  for (const attribute of ['aria-describedby', 'aria-labelledby']) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      if (!document.getElementById(element.getAttribute(attribute))) problems.push(`${attribute} to nowhere: ${say(element)}`);
    }
  }
  for (const element of document.querySelectorAll('[tabindex]')) {
    if (element.tabIndex > 0) problems.push(`a tab order of its own: ${say(element)}`);
  }
  if ([...document.querySelectorAll('h1')].filter(visible).length < 1) problems.push('no h1');
  if (document.querySelectorAll('main').length !== 1) problems.push('not exactly one main');
  if (!document.documentElement.lang) problems.push('no language');
  return problems;
}

/** Text whose contrast with what is behind it is under WCAG 2.2 AA; text over pictures is left out. */
export function contrastProblems() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgba = (css) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const problems = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest('.pic:has(img), figure, svg, :disabled, .sr-only, .overlay, noscript')) continue;
    if (!element.checkVisibility?.()) continue;
    const style = getComputedStyle(element);
    const behind = background(element);
    const front = over(rgba(style.color), behind);
    const [light, dark] = [luminance(front), luminance(behind)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) {
      problems.add(`${ratio.toFixed(2)}: “${element.textContent.trim().slice(0, 40)}” <${element.tagName.toLowerCase()} class="${element.className}">`);
    }
  }
  return [...problems];
}

/** What stands out of the window, or out of a part of the view that scrolls; nothing where all of it fits. */
export function tooWide() {
  const problems = [];
  for (const part of [document.documentElement, ...document.querySelectorAll('main, .content, .scroller, .side')]) {
    if (part.scrollWidth <= Math.max(part.clientWidth, part === document.documentElement ? innerWidth : 0)) continue;
    const end = part.getBoundingClientRect().left + part.clientLeft + part.clientWidth;
    const out = [...part.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > end);
    const say = (element) => element.outerHTML.slice(0, 140).replace(/\s+/g, ' ');
    problems.push(`${part.scrollWidth} px in ${part.clientWidth} px: ${say(part)}`, ...out.slice(0, 10).map((element) => `  out of it: ${say(element)}`));
  }
  return problems;
}

// Boxes on a picture: from 0 to 1 of its width and height, from its top left corner, as LabelBox has them.

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What a pointer has hold of: a corner, a side, or the whole box. */
export type Grip = 'nw' | 'n' | 'ne' | 'e' | 'se' | 's' | 'sw' | 'w' | 'move';

export const CORNERS: Grip[] = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w'];

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** The box between two points, within the picture. */
export function between(ax: number, ay: number, bx: number, by: number): Rect {
  const [x0, x1] = [clamp(Math.min(ax, bx), 0, 1), clamp(Math.max(ax, bx), 0, 1)];
  const [y0, y1] = [clamp(Math.min(ay, by), 0, 1), clamp(Math.max(ay, by), 0, 1)];
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}

/** Moved as far as the picture goes; its size stays. */
export function moved(rect: Rect, dx: number, dy: number): Rect {
  return { ...rect, x: clamp(rect.x + dx, 0, 1 - rect.width), y: clamp(rect.y + dy, 0, 1 - rect.height) };
}

/** With the side or corner `grip` moved; dragged over its other side, a box turns over. At least `least` wide and high. */
export function resized(rect: Rect, grip: Grip, dx: number, dy: number, least = { width: 0, height: 0 }): Rect {
  if (grip === 'move') return moved(rect, dx, dy);
  let [x0, y0, x1, y1] = [rect.x, rect.y, rect.x + rect.width, rect.y + rect.height];
  if (grip.includes('w')) x0 += dx;
  if (grip.includes('e')) x1 += dx;
  if (grip.includes('n')) y0 += dy;
  if (grip.includes('s')) y1 += dy;
  const made = between(x0, y0, x1, y1);
  const width = Math.max(made.width, least.width);
  const height = Math.max(made.height, least.height);
  return { x: clamp(made.x, 0, 1 - width), y: clamp(made.y, 0, 1 - height), width, height };
}

export function area(rect: Rect): number {
  return rect.width * rect.height;
}

export function contains(rect: Rect, x: number, y: number): boolean {
  return x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height;
}

/** What is under a point: the smallest box that holds it, so that one within another can be had. -1 for none. */
export function boxAt(boxes: Rect[], x: number, y: number): number {
  let found = -1;
  boxes.forEach((box, i) => {
    if (contains(box, x, y) && (found < 0 || area(box) < area(boxes[found]))) found = i;
  });
  return found;
}

/** How the picture lies in its frame: so many times as large as when it fits, shifted by pixels of the screen. */
export interface Zoom {
  scale: number;
  x: number;
  y: number;
}

export const FIT: Zoom = { scale: 1, x: 0, y: 0 };
const MOST_ZOOM = 16;

/** Zoomed by `factor` with the point (x, y) of the frame staying where it is; never smaller than it fits. */
export function zoomed(zoom: Zoom, factor: number, x: number, y: number, frame: { width: number; height: number }): Zoom {
  const scale = clamp(zoom.scale * factor, 1, MOST_ZOOM);
  const ratio = scale / zoom.scale;
  return within({ scale, x: x - (x - zoom.x) * ratio, y: y - (y - zoom.y) * ratio }, frame);
}

/** Shifted, but never out of its frame. */
export function panned(zoom: Zoom, dx: number, dy: number, frame: { width: number; height: number }): Zoom {
  return within({ ...zoom, x: zoom.x + dx, y: zoom.y + dy }, frame);
}

function within(zoom: Zoom, frame: { width: number; height: number }): Zoom {
  return {
    scale: zoom.scale,
    x: clamp(zoom.x, frame.width * (1 - zoom.scale), 0) + 0,
    y: clamp(zoom.y, frame.height * (1 - zoom.scale), 0) + 0,
  };
}

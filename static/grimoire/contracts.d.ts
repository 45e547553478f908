// What each module of the client promises, and what it needs. Never loaded by a browser: the modules themselves stay
// small, their signatures and the reasons for them stand here, and `npm run types` holds the two together.
// Times are in milliseconds unless said otherwise.

/** What the logic takes from its surroundings, so that tests can give their own. */
interface Surroundings {
  WebSocket: new (url: string) => Socket;
  /** Monotonic. */
  now(): number;
  /** Since 1970, by the participant's clock. */
  wall(): number;
  /** The server's clock minus `now`, as well as it is known before the first welcome. */
  offset: number;
  setTimeout(run: () => void, delay: number): any;
  clearTimeout(timer: any): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** Undefined where the browser refuses it. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;
  /** An unguessable name. */
  nonce(): string;
  /** For the author's eyes: the console. */
  report(...what: unknown[]): void;
}

interface Socket {
  send(text: string): void;
  close(code?: number): void;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
}

// ------------------------------------------------------------------ store.js

/** A call as it is kept: `args` is JSON text already, so that what was passed cannot change afterwards. */
interface KeptCall {
  n: number;
  method: string;
  args: string;
  /** When it is given up. */
  deadline?: number;
  /** Only those of the present document are awaited. */
  resolve?(value: any): void;
  reject?(error: CallError): void;
}

/** Unsettled calls of one document, in order. */
interface Unsettled {
  document: string;
  /** Since 1970, by the participant's clock: when the document was loaded. */
  since: number;
  calls: Map<number, KeptCall>;
}

/**
 * What outlives a document in its tab. Session storage, keyed by player and document, since iframes share it and
 * `window.open` copies it. Where the browser refuses storage nothing outlives the document, and all else works.
 */
interface Store {
  document: string;
  /** Replaces what was kept of this document's unsettled calls. */
  keepCalls(unsettled: Unsettled): void;
  /**
   * Calls of documents that this tab showed before, during the same stay, oldest document first. Those of other stays
   * are dropped: nobody would execute them.
   */
  predecessors(): Unsettled[];
  /** Ids of kept events that this tab has handled, oldest first, the last 1,000. */
  kept(): string[];
  /** Remembers that a kept event is handled; false if it was already. */
  keepHandled(id: string): boolean;
  /**
   * The tab's name, undefined in a new tab. Taken out while a document shows it, put back when it is left, so that a
   * copy made by `window.open` or "duplicate tab" gets a name of its own.
   */
  takeTab(): string | undefined;
  putTab(tab: string): void;
}

type OpenStore = (
  storage: Surroundings["storage"],
  player: string,
  document: string,
  stay: number,
) => Store;

// ------------------------------------------------------------------ connection.js

interface Listener {
  /** The first message of each connection. */
  hello(): object;
  /** `size` in characters, as it came. */
  frame(frame: Wire.Frame, size: number): void;
  /** After the frame with the welcome; `again` from the second time on. */
  up(again: boolean): void;
  /** The connection is lost, or an attempt failed (then `wasUp` is false). */
  down(wasUp: boolean): void;
  /** The server closed, with this code. */
  closed(code: number): void;
}

interface Connection {
  readonly status: "stopped" | "opening" | "greeting" | "up" | "waiting";
  /** When the server was last heard. */
  readonly heard: number;
  start(): void;
  /** Closes, until `start`. Not reported as a loss. */
  stop(): void;
  /** Now is a good moment: come back at once, or make sure that the connection lives. */
  wake(): void;
  /** Whether it went out; that promises nothing about arrival. */
  send(text: string): boolean;
  /** The server's time, in seconds since 1970, whatever the participant's clock says. */
  clock(): number;
}

type Connect = (url: string, here: Surroundings, listener: Listener) => Connection;

// ------------------------------------------------------------------ calls.js

interface CallError extends Error {
  /** One of the protocol's codes, or "timeout". */
  code: string;
  /** Reference id of an exception in author code, else "". */
  id: string;
  method: string;
}

interface CallOptions {
  send(text: string): boolean;
  /** What a call acknowledges on its way. */
  handled(): number;
  /** Seconds without a connection, or after sending (plus 15 for the server's own deadline), that a call is waited for. */
  timeout?: number;
  /** Bytes of one frame. One that is larger would end the connection and be sent again, for ever: it is refused here. */
  limit?: number;
}

/** Calls are numbered, kept until they are settled, sent again after a loss, in order. */
interface Calls {
  /** Always settles: with the method's value, or with an error whose `code` says why. */
  invoke(method: string, args: unknown[]): Promise<any>;
  /** Fire and forget: no number, no reply, dropped while there is no connection. */
  send(method: string, args: unknown[]): void;
  /** What hello says about calls. */
  greeting(): { pending: number[]; next: number; adopts: Array<{ document: string; pending: number[] }> };
  /** Welcomed: what has not settled is sent (again), previous documents' calls first. */
  up(): void;
  down(): void;
  settle(outcome: Wire.Reply | Wire.Failure): void;
  /** Everything unsettled, as a submission carries it: `[{document, calls: [{n, method, args}]}]`. */
  carried(): Array<{ document: string; calls: Array<{ n: number; method: string; args: Wire.Json }> }>;
}

type MakeCalls = (store: Store, here: Surroundings, options: CallOptions) => Calls;

// ------------------------------------------------------------------ client.js

interface Meta {
  name: string | null;
  /** The commit that the event belongs to; 0 for volatile ones. */
  seq: number;
  kept: boolean;
}

/** What the conversation with the server asks of the page. */
interface Face {
  event(data: Wire.Json, meta: Meta): void;
  up(again: boolean): void;
  down(): void;
  resync(): void;
  go(to: Wire.Go): void;
  message(text: string): void;
  bye(reason: string): void;
}

type Activity = "active" | "idle" | "hidden";

interface Client {
  store: Store;
  calls: Calls;
  connection: Connection;
  /** The page is there: events are dispatched from now on, first those that wait. */
  ready(): void;
  show(state: Activity): void;
  /** The document is being left, perhaps into the back/forward cache. */
  pause(): void;
  /** It came back from there. */
  resume(): void;
}

/**
 * What was handled is acknowledged within a second, or once 50 events wait for it; a kept event, which comes again
 * otherwise, within 100 ms. Calls carry it. What could not be sent goes with the next hello, kept ids after its welcome.
 */
type MakeClient = (page: Wire.Page, url: string, here: Surroundings, face: Face) => Client;

// ------------------------------------------------------------------ notice.js, submit.js

interface NoticeOptions {
  warning?: boolean;
  /** With a label there is a button, which also closes the box. */
  label?: string;
  press?(): void;
}

/** What the participant is told outside the page's own content: boxes at the foot, read out by screen readers. */
interface Notice {
  /** Plain text. Another box with the same key replaces this one. */
  show(key: string, text: string, options?: NoticeOptions): void;
  /** Whether it was there. */
  hide(key: string): boolean;
}

interface Submission {
  /** As if the participant pressed Next: the browser checks the inputs, the author's handlers run. */
  press(): void;
  /** Everything can be pressed again. */
  release(): void;
  /** Runs it now; while a submission is under way, when that has ended and the document is still here. */
  after(run: () => void): void;
}

/** What a submission needs of the rest. */
interface Way {
  /** Unsettled calls. */
  carried(): object[];
  connection: Connection;
  failed(): void;
  /** A new page is coming, within so many milliseconds. */
  leaving(limit: number): void;
  nonce(): string;
}

// ------------------------------------------------------------------ early.js

type Undo = () => void;

/** What authors see as `grimoire` and as `uproot`. */
interface Grimoire {
  vars: Record<string, any>;
  /** Unnamed notifications. */
  receive: ((data: any, meta: Meta) => void) | null;
  invoke(method: string, ...args: any[]): Promise<any>;
  /** For methods declared volatile: nothing is numbered, answered or sent again. */
  send(method: string, ...args: any[]): void;
  submit(): void;
  /** The server's time, in seconds since 1970. */
  clock(): number;
  on(name: string, handler: (data: any, meta: Meta) => void): Undo;
  onCustomEvent(name: string, handler: (event: CustomEvent) => void): Undo;
  onReady(handler: () => void): Undo;
  onReconnect(handler: () => void): Undo;
  onDisconnect(handler: () => void): Undo;
  onResync(handler: () => void): Undo;
  I(id: string): HTMLElement | null;
  _(text: string, values?: Record<string, unknown>): string;
}

type Queued = [name: "invoke" | "send" | "submit", args: any[], resolve: (value: any) => void, reject: (error: any) => void];

/** What the script in `<head>` hands over to the modules. */
interface Early {
  page: Wire.Page;
  texts: Record<string, string>;
  /** The server's clock minus `performance.now()`, in milliseconds, as well as the page itself tells it. */
  offset: number;
  /** By what they wait for: "ready", "reconnect", "disconnect", "resync", "event NAME". */
  handlers: Record<string, Function[]>;
  /** What was asked for before the modules were there. */
  queue: Queued[];
  /** Runs the handlers; one that throws stops neither the others nor the caller. Returns how many there were. */
  run(kind: string, ...args: any[]): number;
}

interface Window {
  grimoire: Grimoire & { early: Early };
  uproot: Window["grimoire"];
  I: Grimoire["I"];
  _: Grimoire["_"];
}

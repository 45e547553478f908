// What crosses the websocket, and the page's configuration. Never loaded by a browser.
// docs/protocol.md says what it means; tests/frames.json holds examples of each message.

declare namespace Wire {
  type Json = unknown;

  interface Adopted {
    document: string;
    pending: number[];
  }

  interface Hello {
  type: "hello";
    version: number;
    stay: number;
    document: string;
    tab: string;
    base: number;
    handled: number;
    connection: number;
    pending: number[];
    next: number;
    kept: string[];
    adopts: Adopted[];
  }

  interface Welcome {
  type: "welcome";
    version: number;
    clock: number;
    seq: number;
    ping: number;
    resync: boolean;
  }

  interface Reply {
  type: "reply";
    n: number;
    ok: Json;
    document?: string;
  }

  interface Failure {
  type: "error";
    n: number;
    code: string;
    message: string;
    id?: string;
    document?: string;
  }

  interface Event {
  type: "event";
    name: string | null;
    data: Json;
    keep?: string;
  }

  interface Go {
  type: "go";
    to: "reload" | "url";
    url?: string;
  }

  interface Text {
  type: "message";
    text: string;
  }

  interface Bye {
  type: "bye";
    reason: string;
  }

  interface Pong {
  type: "pong";
    sent: number;
    clock: number;
  }

  type Outgoing = Welcome | Reply | Failure | Event | Go | Text | Bye | Pong;

  interface Frame {
    seq: number;
    messages: Outgoing[];
  }

  /** What `<script type="application/json" id="grimoire-page">` holds. */
  interface Page {
    version: number;
    player: string;
    stay: number;
    base: number;
    live: string;
    /** When the page was made, by the server's clock: seconds since 1970. */
    clock: number;
    /** When the time of the page is over; null where it has no limit. */
    deadline?: number | null;
    /** What is said of that: by `moments`, seconds before the end; null where the page has no limit. */
    countdown?: { start: string; up: string; moments: Record<string, string> } | null;
    vars?: Record<string, Json>;
    texts?: Record<string, string>;
    /** Translations of what the page's own scripts say. */
    words?: Record<string, string>;
    tabs?: "allow" | "takeover" | "refuse";
    /** Seconds after which a call that nobody answers is given up; 60. */
    timeout?: number;
    /** Bytes that the server accepts in one frame; 64000. */
    limit?: number;
  }
}

// Asks the plugin's own server, and nobody else. What did not change is not sent again.

const here = new URL(".", import.meta.url);

/** A source of JSON that is asked over and over. */
export class Source {
  #tag = null;
  #url = null;

  /** The answer, or null where it is the same as the last one to the same question. */
  async ask(path, query) {
    const url = address(path, query);
    const same = url === this.#url;
    const answer = await fetch(url, { headers: same && this.#tag ? { "If-None-Match": this.#tag } : {}, cache: "no-store" });
    if (answer.status === 304) return null;
    if (!answer.ok) throw new Error(`TensorBoard answered ${answer.status}`);
    const value = await answer.json();
    this.#url = url;
    this.#tag = answer.headers.get("ETag");
    return value;
  }

  /** Take the next answer whatever it is. */
  forget() {
    this.#tag = null;
  }
}

/** The text of an answer that is asked for once. */
export async function text(path, query) {
  const answer = await fetch(address(path, query), { cache: "no-store" });
  return answer.ok ? answer.text() : "";
}

function address(path, query) {
  const url = new URL(path, here);
  url.search = new URLSearchParams(query);
  return url.href;
}

/** The page about a code: what it means and what to do, with a small file that has the problem and one that has not. */
export interface Explanation {
  text: string;
  /** YAML with the problem: a whole pipeline, or the tasks of one. */
  bad?: string;
  /** The same without it. */
  good?: string;
}

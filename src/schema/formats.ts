/** What a `format` of JSON Schema asks of a text: words for people, and the test. No test can take more than linear time (C4). */
export const FORMATS: ReadonlyMap<string, { phrase: string; test(text: string): boolean }> = new Map([
  ['date-time', { phrase: 'a date and time such as 2026-03-29T02:30:00Z', test: isDateTime }],
  ['date', { phrase: 'a date such as 2026-03-29', test: isDate }],
  ['time', { phrase: 'a time of day such as 02:30:00Z', test: isTime }],
  ['email', { phrase: 'an e-mail address', test: isEmail }],
  ['uri', { phrase: 'a URI such as https://example.com/page', test: isUri }],
  ['uuid', { phrase: 'a UUID', test: text => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) }],
  ['ipv4', { phrase: 'an IPv4 address', test: isIpv4 }],
  ['ipv6', { phrase: 'an IPv6 address', test: isIpv6 }],
]);

function isDate(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}

/** A time of RFC 3339: with its offset, and 60 as a second only where a leap second can fall (23:59:60 UTC). */
function isTime(text: string): boolean {
  const match = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i.exec(text);
  if (!match) return false;
  const [hour, minute, second, offsetHour, offsetMinute] = [match[1], match[2], match[3], match[5] ?? 0, match[6] ?? 0].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || offsetHour > 23 || offsetMinute > 59) return false;
  const offset = (offsetHour * 60 + offsetMinute) * (match[4] === '-' ? -1 : 1);
  const utc = (hour * 60 + minute - offset + 2880) % 1440;
  return second <= 59 || (second === 60 && utc === 1439);
}

function isDateTime(text: string): boolean {
  return /^[t ]$/i.test(text.charAt(10)) && isDate(text.slice(0, 10)) && isTime(text.slice(11));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  const name = text.slice(0, at);
  if (at < 1 || name.length > 64 || name.startsWith('.') || name.endsWith('.') || name.includes('..')) return false;
  return (
    /^[^\s@<>()[\],;:\\"]+$/.test(name) &&
    text
      .slice(at + 1)
      .split('.')
      .every(label => /^[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?$/u.test(label))
  );
}

function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`\u0080-\uffff]+$/i.test(text) && !/%(?![0-9a-f]{2})/i.test(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap(half => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1);
  const embedded = last !== undefined && last.includes('.') && !text.endsWith('::');
  if (embedded && !isIpv4(groups.pop()!)) return false;
  const width = groups.length + (embedded ? 2 : 0);
  return groups.every(group => /^[0-9a-f]{1,4}$/i.test(group)) && (halves.length === 2 ? width <= 7 : width === 8);
}

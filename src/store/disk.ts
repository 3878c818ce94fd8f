/** File systems whose server is elsewhere, by the magic number that Linux gives them. */
const NETWORK_TYPES = new Map<number, string>([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x5346414f, 'AFS'],
]);
const FUSE = 0x65735546;
/** FUSE serves local disks too; its mount says which program answers. */
const NETWORK_FUSE = /^fuse\.(sshfs|rclone|s3fs|goofys|gcsfuse|glusterfs|davfs.*|ceph.*|smb.*|nfs.*)$/;

/** The name of the network file system under `folder`, or undefined for a local one. `mounts` reads /proc/self/mounts. */
export function networkDisk(type: number, folder: string, mounts: () => string): string | undefined {
  const known = NETWORK_TYPES.get(type >>> 0);
  if (known !== undefined || type !== FUSE) return known;
  let best = { point: '', kind: '' };
  for (const line of mounts().split('\n')) {
    const [, escaped = '', kind = ''] = line.split(' ');
    const point = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const holds = folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (holds && point.length >= best.point.length) best = { point, kind };
  }
  return NETWORK_FUSE.test(best.kind) ? best.kind : undefined;
}

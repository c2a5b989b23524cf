// SPDX-License-Identifier: GPL-2.0-only
/*
 * msharefs, the filesystem: mount, directories, and regions as files.
 *
 * A small in-memory filesystem in the way of ramfs.  Every regular file is a
 * region with a host mm of its own; mshare_info at the root tells user space
 * the alignment and size granule of regions.
 */
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/sysfs.h>

#include "internal.h"

#define MSHARE_DEFAULT_MODE	01777

static struct kmem_cache *mshare_inode_cache;
static const struct inode_operations mshare_dir_inode_operations;
static const struct inode_operations mshare_region_inode_operations;

/* Files that the filesystem itself has in its root */

static ssize_t mshare_info_read(struct file *file, char __user *buf,
				size_t count, loff_t *ppos)
{
	char text[32];
	int len = scnprintf(text, sizeof(text), "%lu\n", P4D_SIZE);

	return simple_read_from_buffer(buf, count, ppos, text, len);
}

static const struct file_operations mshare_info_operations = {
	.read	= mshare_info_read,
	.llseek	= noop_llseek,
};

/* Not even root changes what the kernel says. */
static int mshare_fixed_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
				struct iattr *attr)
{
	return -EPERM;
}

static const struct inode_operations mshare_fixed_inode_operations = {
	.setattr	= mshare_fixed_setattr,
	.getattr	= simple_getattr,
};

static bool mshare_is_fixed(const struct dentry *dentry)
{
	const struct inode *inode = d_inode(dentry);

	return inode && inode->i_op == &mshare_fixed_inode_operations;
}

/* Regions */

static int mshare_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			  struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err;

	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (attr->ia_valid & ATTR_SIZE) {
		err = mshare_region_set_size(mshare_region(inode),
					     attr->ia_size);
		if (err)
			return err;
	}
	setattr_copy(idmap, inode, attr);
	return 0;
}

static long mshare_fallocate(struct file *file, int mode, loff_t offset,
			     loff_t len)
{
	struct inode *inode = file_inode(file);
	int err;

	if (mode)
		return -EOPNOTSUPP;
	if (offset)
		return -EINVAL;
	inode_lock(inode);
	err = mshare_region_set_size(mshare_region(inode), len);
	inode_unlock(inode);
	return err;
}

static int mshare_fsync_object(struct file *file, loff_t offset, loff_t len,
			       int datasync)
{
	return vfs_fsync_range(file, offset, offset + len - 1, datasync);
}

/* msync() of a window: what it means is the objects that it shows. */
static int mshare_fsync(struct file *file, loff_t start, loff_t end,
			int datasync)
{
	struct mshare_region *region = mshare_region(file_inode(file));
	unsigned long size = READ_ONCE(region->size);

	if (!size || start >= size)
		return 0;
	return mshare_walk_objects(region, start,
				   min_t(loff_t, end, size - 1) + 1,
				   mshare_fsync_object, datasync);
}

const struct file_operations mshare_file_operations = {
	.mmap			= mshare_mmap,
	.get_unmapped_area	= mshare_get_unmapped_area,
	.unlocked_ioctl		= mshare_ioctl,
	.compat_ioctl		= compat_ptr_ioctl,
	.fallocate		= mshare_fallocate,
	.fsync			= mshare_fsync,
	.show_fdinfo		= mshare_show_fdinfo,
	.llseek			= noop_llseek,
};

static const struct inode_operations mshare_region_inode_operations = {
	.setattr	= mshare_setattr,
	.getattr	= simple_getattr,
};

/* Make a fresh inode a regular file with the operations of a region. */
void mshare_init_region_inode(struct inode *inode, umode_t mode)
{
	inode->i_mode = S_IFREG | mode;
	inode->i_op = &mshare_region_inode_operations;
	inode->i_fop = &mshare_file_operations;
	simple_inode_init_ts(inode);
}

/* Directories */

static struct inode *mshare_new_inode(struct inode *dir, umode_t mode)
{
	struct inode *inode = new_inode(dir->i_sb);

	if (!inode)
		return ERR_PTR(-ENOSPC);
	inode->i_ino = get_next_ino();
	inode_init_owner(&nop_mnt_idmap, inode, dir, mode);
	simple_inode_init_ts(inode);
	return inode;
}

/* Enter @inode in its directory; a dentry in memory is the only record. */
static void mshare_add_entry(struct inode *dir, struct dentry *dentry,
			     struct inode *inode)
{
	d_instantiate(dentry, inode);
	dget(dentry);
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
}

static int mshare_create(struct mnt_idmap *idmap, struct inode *dir,
			 struct dentry *dentry, umode_t mode, bool excl)
{
	struct inode *inode = mshare_new_inode(dir, mode | S_IFREG);
	int err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	mshare_init_region_inode(inode, inode->i_mode & ~S_IFMT);
	err = mshare_region_init(mshare_region(inode));
	if (err) {
		iput(inode);
		return err;
	}
	mshare_set_owner(mshare_region(inode));
	mshare_add_entry(dir, dentry, inode);
	return 0;
}

static int mshare_mkdir(struct mnt_idmap *idmap, struct inode *dir,
			struct dentry *dentry, umode_t mode)
{
	struct inode *inode = mshare_new_inode(dir, mode | S_IFDIR);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode->i_op = &mshare_dir_inode_operations;
	inode->i_fop = &simple_dir_operations;
	inc_nlink(inode);
	inc_nlink(dir);
	mshare_add_entry(dir, dentry, inode);
	return 0;
}

static int mshare_link(struct dentry *old, struct inode *dir,
		       struct dentry *dentry)
{
	return mshare_is_fixed(old) ? -EPERM : simple_link(old, dir, dentry);
}

static int mshare_unlink_entry(struct inode *dir, struct dentry *dentry)
{
	return mshare_is_fixed(dentry) ? -EPERM : simple_unlink(dir, dentry);
}

static int mshare_rename(struct mnt_idmap *idmap, struct inode *old_dir,
			 struct dentry *old, struct inode *new_dir,
			 struct dentry *new, unsigned int flags)
{
	if (mshare_is_fixed(old) || mshare_is_fixed(new))
		return -EPERM;
	return simple_rename(idmap, old_dir, old, new_dir, new, flags);
}

static const struct inode_operations mshare_dir_inode_operations = {
	.create		= mshare_create,
	.lookup		= simple_lookup,
	.link		= mshare_link,
	.unlink		= mshare_unlink_entry,
	.mkdir		= mshare_mkdir,
	.rmdir		= simple_rmdir,
	.rename		= mshare_rename,
};

/* The root directory alone answers MSHAREFS_OPEN_OBJECT. */
static const struct file_operations mshare_root_operations = {
	.open		= dcache_dir_open,
	.release	= dcache_dir_close,
	.llseek		= dcache_dir_lseek,
	.read		= generic_read_dir,
	.iterate_shared	= dcache_readdir,
	.fsync		= noop_fsync,
	.unlocked_ioctl	= mshare_root_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/* Superblock */

static struct inode *mshare_alloc_inode(struct super_block *sb)
{
	struct mshare_region *region;

	region = alloc_inode_sb(sb, mshare_inode_cache, GFP_KERNEL);
	if (!region)
		return NULL;
	memset_after(region, 0, vfs_inode);
	INIT_HLIST_NODE(&region->owned);
	INIT_LIST_HEAD(&region->listed);
	INIT_LIST_HEAD(&region->windows);
	rwlock_init(&region->windows_lock);
	return &region->vfs_inode;
}

static void mshare_free_inode(struct inode *inode)
{
	kmem_cache_free(mshare_inode_cache, mshare_region(inode));
}

static void mshare_evict_inode(struct inode *inode)
{
	clear_inode(inode);
	mshare_region_destroy(mshare_region(inode));
}

static int mshare_show_options(struct seq_file *m, struct dentry *root)
{
	const struct mshare_mount *mount = mshare_mount(root->d_sb);

	if (mount->mode != MSHARE_DEFAULT_MODE)
		seq_printf(m, ",mode=%03ho", mount->mode);
	if (!uid_eq(mount->uid, GLOBAL_ROOT_UID))
		seq_printf(m, ",uid=%u",
			   from_kuid_munged(&init_user_ns, mount->uid));
	if (!gid_eq(mount->gid, GLOBAL_ROOT_GID))
		seq_printf(m, ",gid=%u",
			   from_kgid_munged(&init_user_ns, mount->gid));
	return 0;
}

static const struct super_operations mshare_super_operations = {
	.alloc_inode	= mshare_alloc_inode,
	.free_inode	= mshare_free_inode,
	.evict_inode	= mshare_evict_inode,
	.drop_inode	= generic_delete_inode,
	.statfs		= simple_statfs,
	.show_options	= mshare_show_options,
};

static int mshare_fill_root(struct super_block *sb)
{
	const struct mshare_mount *mount = mshare_mount(sb);
	struct inode *inode = new_inode(sb);

	if (!inode)
		return -ENOMEM;
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFDIR | mount->mode;
	inode->i_uid = mount->uid;
	inode->i_gid = mount->gid;
	inode->i_op = &mshare_dir_inode_operations;
	inode->i_fop = &mshare_root_operations;
	inc_nlink(inode);
	simple_inode_init_ts(inode);
	sb->s_root = d_make_root(inode);
	return sb->s_root ? 0 : -ENOMEM;
}

static int mshare_fill_fixed(struct super_block *sb, const char *name,
			     umode_t mode, const struct file_operations *fops)
{
	struct dentry *dentry = d_alloc_name(sb->s_root, name);
	struct inode *inode;

	if (!dentry)
		return -ENOMEM;
	inode = new_inode(sb);
	if (!inode) {
		dput(dentry);
		return -ENOMEM;
	}
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFREG | mode;
	inode->i_uid = mshare_mount(sb)->uid;
	inode->i_gid = mshare_mount(sb)->gid;
	inode->i_op = &mshare_fixed_inode_operations;
	inode->i_fop = fops;
	simple_inode_init_ts(inode);
	d_add(dentry, inode);
	return 0;
}

static int mshare_fill_super(struct super_block *sb, struct fs_context *fc)
{
	int err;

	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = MSHARE_MAGIC;
	sb->s_op = &mshare_super_operations;
	sb->s_time_gran = 1;
	err = mshare_fill_root(sb);
	if (!err)
		err = mshare_fill_fixed(sb, "mshare_info", 0444,
					&mshare_info_operations);
	/* What others have mapped is not for everybody's eyes. */
	if (!err)
		err = mshare_fill_fixed(sb, "mshare_regions", 0400,
					&mshare_regions_operations);
	return err;
}

/* Mount */

enum { OPT_MODE, OPT_UID, OPT_GID };

static const struct fs_parameter_spec mshare_parameters[] = {
	fsparam_u32oct("mode", OPT_MODE),
	fsparam_uid("uid", OPT_UID),
	fsparam_gid("gid", OPT_GID),
	{}
};

static int mshare_parse_param(struct fs_context *fc,
			      struct fs_parameter *param)
{
	struct mshare_mount *mount = fc->s_fs_info;
	struct fs_parse_result result;
	int opt;

	opt = fs_parse(fc, mshare_parameters, param, &result);
	if (opt < 0)
		return opt;
	switch (opt) {
	case OPT_MODE:
		if (result.uint_32 & ~S_IALLUGO)
			return invalfc(fc, "mode=%o: more than 7777",
				       result.uint_32);
		mount->mode = result.uint_32;
		break;
	case OPT_UID:
		mount->uid = result.uid;
		break;
	case OPT_GID:
		mount->gid = result.gid;
		break;
	}
	return 0;
}

static int mshare_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, mshare_fill_super);
}

static void mshare_free_fc(struct fs_context *fc)
{
	kfree(fc->s_fs_info);
}

static const struct fs_context_operations mshare_context_operations = {
	.free		= mshare_free_fc,
	.parse_param	= mshare_parse_param,
	.get_tree	= mshare_get_tree,
};

static int mshare_init_fs_context(struct fs_context *fc)
{
	struct mshare_mount *mount;

	mount = kzalloc(sizeof(*mount), GFP_KERNEL);
	if (!mount)
		return -ENOMEM;
	mount->mode = MSHARE_DEFAULT_MODE;
	mount->uid = GLOBAL_ROOT_UID;
	mount->gid = GLOBAL_ROOT_GID;
	mutex_init(&mount->regions_lock);
	INIT_LIST_HEAD(&mount->regions);
	fc->s_fs_info = mount;
	fc->ops = &mshare_context_operations;
	return 0;
}

static void mshare_kill_sb(struct super_block *sb)
{
	kill_litter_super(sb);
	kfree(sb->s_fs_info);
}

static struct file_system_type mshare_fs_type = {
	.name			= "msharefs",
	.init_fs_context	= mshare_init_fs_context,
	.parameters		= mshare_parameters,
	.kill_sb		= mshare_kill_sb,
};

static void mshare_inode_init_once(void *obj)
{
	struct mshare_region *region = obj;

	inode_init_once(&region->vfs_inode);
}

static int __init mshare_init(void)
{
	int err;

	if (!arch_mshare_available())
		return -ENODEV;

	mshare_inode_cache = kmem_cache_create("mshare_inode_cache",
					       sizeof(struct mshare_region), 0,
					       SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
					       mshare_inode_init_once);
	if (!mshare_inode_cache)
		return -ENOMEM;
	err = sysfs_create_mount_point(fs_kobj, "mshare");
	if (err)
		goto out_cache;
	err = register_filesystem(&mshare_fs_type);
	if (err)
		goto out_mount_point;
	return 0;

out_mount_point:
	sysfs_remove_mount_point(fs_kobj, "mshare");
out_cache:
	kmem_cache_destroy(mshare_inode_cache);
	return err;
}
fs_initcall(mshare_init);

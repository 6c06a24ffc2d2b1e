/*
 * The return of the battery, modelled independently of the Python code: lock, hold file, database and token rotation.
 *
 * Two runs of cron, each of which may be killed between any two steps, and an environment that may take away Tesla,
 * the disk, the database, the hold file or the configuration, at any moment until it becomes calm.
 *
 * Properties:
 *   return      In the calm the release is due, Tesla works and a token is usable. When all older runs are over, and
 *               two runs have begun and ended after that, the battery is out of backup.
 *   ownership   While the battery is in backup, or may still go there, the database or the hold file says it is ours.
 *   exclusion   No two runs act on the battery at once while locks work.
 *   token       A refresh token that Tesla accepts is on the disk at any moment, in the token file or in its copy.
 *
 * test_battery_return.py checks them. It also breaks the model on purpose (the names in #ifdef), and expects that each
 * of these mistakes is found.
 */

#define FREE 0                       /* the lock; otherwise the number of the run that holds it */

#define NO_FILE 0
#define GOOD_FILE 1
#define BAD_FILE 2                   /* cannot be parsed: it counts as held, but does not name the battery */

#define NEWEST 0                     /* a refresh token: issued last */
#define USED 1                       /* used last; Tesla still accepts it, in case that its answer was lost */
#define DEAD 2
#define accepted(token) (token != DEAD)

/* the battery and Tesla */
bool backup = false;
bool late_command = false;           /* a holding command was accepted and has not taken effect yet */
bool command_is_recent = false;      /* sent within the last three minutes, as the memories say */
bool release_due = false;

/* the computer */
#ifdef LOCKS_MAY_FAIL
bool locks_work = true;              /* the folder may be moved to a file system that has none, between two runs */
#else
#define locks_work true
#endif
bool disk_writable = true;
bool configuration_readable = true;
byte lock = FREE;

/* the memories */
bool database_readable = true;
bool database_owned = false;
byte hold_file = NO_FILE;
bool noted_as_released = false;      /* the hold file could not be removed, and a note says that its hold has ended */

/* the token file and its last good copy */
byte token_file = NEWEST;
byte token_copy = NEWEST;
bool token_file_whole = true;        /* the library rewrites it in place */
bool access_token_valid = true;
#define token_is_usable ((token_file_whole && access_token_valid) || disk_writable)

/* what the properties need to know */
bool calm = false;                   /* from now on nothing breaks */
bool file_was_damaged = false;       /* either the hold file is damaged or something else, not both */
bool others_were_damaged = false;
byte running = 0;
byte older_runs = 0;                 /* begun before the calm and still alive */
byte runs_ended_in_calm = 0;         /* begun in the calm, ended in it, after the last older one */
byte acting = 0;

/* Before each step that others can see, the run may be killed, or what it calls may fail. */
#define OR_KILLED :: !calm -> goto killed
#define OR_TESLA_FAILS :: !calm -> goto ended

inline connect() {
	if
	:: token_file_whole
	:: atomic { !token_file_whole && disk_writable ->
		token_file = token_copy; token_file_whole = true; access_token_valid = false }
	:: !token_file_whole && !disk_writable -> goto ended
	OR_KILLED
	fi;
	if
	:: access_token_valid
	:: !access_token_valid && !disk_writable -> goto ended         /* a renewed token could not be kept */
	:: !access_token_valid && disk_writable ->
#ifndef WITHOUT_TOKEN_COPY
		if :: token_copy = token_file OR_KILLED fi;
#endif
		if
		:: atomic {                                             /* Tesla gives a new one for it */
			assert(!locks_work || accepted(token_file));
			token_copy = (token_copy == token_file -> USED : DEAD);
			token_file = USED
		}
		OR_TESLA_FAILS
		OR_KILLED
		fi;
		if
		:: atomic { disk_writable -> token_file_whole = false }
		:: !disk_writable -> goto ended
		OR_KILLED
		fi;
		if
		:: atomic { disk_writable -> token_file = NEWEST; token_file_whole = true; access_token_valid = true }
		:: !disk_writable -> goto ended
		OR_KILLED
		fi;
#ifndef WITHOUT_TOKEN_COPY
		if
		:: atomic { disk_writable -> token_copy = token_file }
		:: !disk_writable
		OR_KILLED
		fi
#endif
	fi
}

inline write_hold_file() {
	if
	:: atomic { disk_writable -> hold_file = GOOD_FILE; noted_as_released = false }
	:: !disk_writable -> goto ended
	OR_KILLED
	fi
}

inline begin_hold() {
	if
	:: atomic { disk_writable && database_readable -> database_owned = true; command_is_recent = true }
	:: !(disk_writable && database_readable) -> goto ended
	OR_KILLED
	fi;
#ifndef FILE_AFTER_COMMAND
	write_hold_file();
#endif
	connect();
	if
	:: backup && !late_command                                      /* a value that is right is not written */
	:: atomic { !backup -> backup = true }
	:: atomic { !backup && !calm -> late_command = true }           /* accepted, and takes effect later */
	:: atomic { !backup && !calm -> backup = true; goto ended }     /* taken, and the answer is lost */
	OR_TESLA_FAILS
	OR_KILLED
	fi;
#ifdef FILE_AFTER_COMMAND
	write_hold_file()
#endif
}

inline forget_hold() {
	if
	:: atomic { disk_writable && database_readable -> database_owned = false }
	:: !(disk_writable && database_readable)
	OR_KILLED
	fi;
	if
	:: atomic { disk_writable -> hold_file = NO_FILE }
	:: !disk_writable -> noted_as_released = true
	OR_KILLED
	fi
}

inline release() {
	connect();
#ifdef FORGET_BEFORE_RELEASE
	forget_hold();
#endif
	if
	:: backup = false
	OR_TESLA_FAILS
	OR_KILLED
	fi;
	if                                                              /* read back */
	:: !backup
	:: backup -> goto ended
	OR_TESLA_FAILS
	OR_KILLED
	fi;
#ifndef WITHOUT_SETTLING
	if
	:: command_is_recent -> goto ended                              /* stays ours until it can no longer take effect */
	:: !command_is_recent
	fi;
#endif
#ifndef FORGET_BEFORE_RELEASE
	forget_hold()
#endif
}

#define sees_file (hold_file != NO_FILE && !noted_as_released)
#define sees_database (database_readable && database_owned)

proctype Run(byte me) {
	bool began_in_calm, due, is_acting;
	do
	:: atomic { began_in_calm = calm; due = release_due; running++ };       /* the clock is read once per run */
#ifdef LOCK_NEEDS_WRITABLE_DISK
	if :: disk_writable :: !disk_writable -> goto ended fi;
#endif
	if                                                              /* one lock, from here to the last read-back */
#ifdef IGNORE_LOCK
	:: locks_work
#else
	:: atomic { locks_work && lock == FREE -> lock = me }
	:: atomic { locks_work && lock != FREE -> goto busy }
#endif
	:: !locks_work && due                                           /* without locks, only a due release goes on */
	:: !locks_work && !due -> goto ended
	fi;
	atomic { is_acting = true; acting++; assert(!locks_work || acting == 1) };
	if
#ifdef DATABASE_ONLY
	:: due && sees_database && configuration_readable -> release()
	:: due && !(sees_database && configuration_readable)
#else
	:: due && ((sees_file && hold_file == GOOD_FILE) || ((sees_file || sees_database) && configuration_readable)) ->
		release()
	:: due && !((sees_file && hold_file == GOOD_FILE) || ((sees_file || sees_database) && configuration_readable))
#endif
	:: !due && configuration_readable && database_readable && locks_work -> begin_hold()
	:: !due                                                         /* no car, or unreadable: what is held stands */
	OR_KILLED
	fi;
ended:
	atomic {
		if :: began_in_calm && older_runs == 0 && runs_ended_in_calm < 2 -> runs_ended_in_calm++ :: else fi;
		assert(runs_ended_in_calm < 2 || !backup)
	};
killed:
busy:
	atomic {                                                        /* the kernel frees the lock of a dead process */
		if :: is_acting -> acting--; is_acting = false :: else fi;
		if :: lock == me -> lock = FREE :: else fi;
		if :: calm && !began_in_calm -> older_runs--; runs_ended_in_calm = 0 :: else fi;
		running--;
		began_in_calm = false;
		due = false
	}
	od
}

proctype Environment() {
	do
	:: atomic { late_command -> backup = true; late_command = false }
	/* Three minutes have passed: longer than a command takes to show, and longer than a run may last. */
	:: atomic { command_is_recent && !late_command && acting == 0 -> command_is_recent = false }
	:: atomic { !calm -> disk_writable = !disk_writable }
	:: atomic { !calm -> release_due = !release_due }
	:: atomic { !calm && access_token_valid -> access_token_valid = false }
	:: atomic { !calm && !file_was_damaged && configuration_readable ->
		configuration_readable = false; others_were_damaged = true }
	:: atomic { !calm && !file_was_damaged && database_readable ->
		database_readable = false; others_were_damaged = true }
	:: atomic { !calm && !file_was_damaged && database_owned && disk_writable ->     /* deleted, and made anew */
		database_owned = false; others_were_damaged = true }
	:: atomic { !calm && !others_were_damaged && hold_file != NO_FILE ->
		hold_file = NO_FILE; file_was_damaged = true }
	:: atomic { !calm && !others_were_damaged && hold_file == GOOD_FILE ->
		hold_file = BAD_FILE; file_was_damaged = true }
#ifdef LOCKS_MAY_FAIL
	:: atomic { !calm && running == 0 && locks_work -> locks_work = false }
#endif
	:: atomic { !calm && release_due && !late_command && token_is_usable ->
		calm = true; older_runs = running }
	:: calm && !command_is_recent -> break
	od
}

#define ownership_is_known (!(backup || late_command) || database_owned || hold_file != NO_FILE)
#ifdef TOKEN_WITHOUT_LOCKS
#define token_must_be_kept true
#else
#define token_must_be_kept locks_work
#endif
#define token_is_kept (!token_must_be_kept || accepted(token_copy) || (token_file_whole && accepted(token_file)))

active proctype Watch() {
	atomic { !(ownership_is_known && token_is_kept) -> assert(ownership_is_known); assert(token_is_kept) }
}

init {
	atomic { run Run(1); run Run(2); run Environment() }
}

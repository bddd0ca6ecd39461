// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import "strings"

// redisCommands are the commands that begin a line of a statement. A line that begins with anything else belongs to an
// argument.
var redisCommands = words("ACL APPEND AUTH BF.ADD BF.EXISTS BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITOP BITPOS " +
	"BLMOVE BLMPOP " +
	"BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER COMMAND CONFIG COPY DBSIZE DECR DECRBY DEL " +
	"DISCARD " +
	"DUMP ECHO EVAL EVALSHA EVAL_RO EVALSHA_RO EXEC EXISTS EXPIRE EXPIREAT EXPIRETIME FAILOVER FCALL FCALL_RO " +
	"FLUSHALL " +
	"FLUSHDB FT.CREATE FT.SEARCH FT.INFO FT.AGGREGATE FT.DROPINDEX FT._LIST FUNCTION GEOADD GEODIST GEOHASH GEOPOS " +
	"GEORADIUS GEOSEARCH GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HELLO HEXISTS HEXPIRE HGET HGETALL HINCRBY " +
	"HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS INCR INCRBY INCRBYFLOAT INFO " +
	"JSON.DEL JSON.GET JSON.SET JSON.MGET KEYS LASTSAVE LATENCY LCS LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS " +
	"LPUSH " +
	"LPUSHX LRANGE LREM LSET LTRIM MEMORY MGET MIGRATE MODULE MONITOR MOVE MSET MSETNX MULTI OBJECT PERSIST " +
	"PEXPIRE " +
	"PEXPIREAT PFADD PFCOUNT PFMERGE PING PSETEX PSUBSCRIBE PTTL PUBLISH PUBSUB PUNSUBSCRIBE QUIT RANDOMKEY " +
	"READONLY " +
	"READWRITE RENAME RENAMENX REPLICAOF RESET RESTORE ROLE RPOP RPOPLPUSH RPUSH RPUSHX SADD SAVE SCAN SCARD " +
	"SCRIPT " +
	"SDIFF SDIFFSTORE SELECT SENTINEL SET SETBIT SETEX SETNX SETRANGE SHUTDOWN SINTER SINTERCARD SINTERSTORE " +
	"SISMEMBER " +
	"SLAVEOF SLOWLOG SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP SPUBLISH SRANDMEMBER SREM SSCAN SSUBSCRIBE STRLEN " +
	"SUBSCRIBE SUBSTR SUNION SUNIONSTORE SUNSUBSCRIBE SWAPDB SYNC TIME TOUCH TTL TYPE UNLINK UNSUBSCRIBE UNWATCH " +
	"WAIT " +
	"WAITAOF WATCH XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE " +
	"XTRIM " +
	"ZADD ZCARD ZCOUNT ZDIFF ZINCRBY ZINTER ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE " +
	"ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE " +
	"ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE")

// redisArguments keeps only the command of each line. Current instrumentations already write ? for the arguments.
func redisArguments(statement string) (string, bool) {
	if argumentless(statement) {
		return statement, false
	}
	var out strings.Builder
	for line := range strings.Lines(statement) {
		command, newline := strings.CutSuffix(line, "\n")
		words := strings.Split(command, " ")
		for i := range words {
			if words[i] != "" && !isCommandWord(words, i) {
				words[i] = "?"
			}
		}
		out.WriteString(strings.Join(words, " "))
		if newline {
			out.WriteByte('\n')
		}
	}
	return out.String(), true
}

// isCommandWord reports whether a word of a line is its command or subcommand.
func isCommandWord(words []string, i int) bool {
	return i == 0 && redisCommands[strings.ToUpper(words[0])] || i == 1 && isSubcommand(words[0], words[1])
}

// argumentless reports whether every argument is already a ?.
func argumentless(statement string) bool {
	for line := range strings.Lines(statement) {
		command, at := "", 0
		for word := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), " ") {
			switch {
			case word == "" || word == "?":
			case at == 0 && !isKnownCommand(word), at == 1 && !isSubcommand(command, word), at > 1:
				return false
			}
			if at == 0 {
				command = word
			}
			at++
		}
	}
	return true
}

func isKnownCommand(word string) bool {
	return redisCommands[word] || redisCommands[strings.ToUpper(word)]
}

func isSubcommand(command, word string) bool {
	switch command {
	case "ACL", "CLIENT", "CLUSTER", "CONFIG", "FUNCTION", "MEMORY", "OBJECT", "PUBSUB", "SCRIPT", "XGROUP", "XINFO":
		return strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	}
	return false
}

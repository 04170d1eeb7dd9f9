"""Messages about the administration of users, groups and tasks."""

from jobs.runs import Role, Rule

ROLES = {
    Role.VIEWER: "Viewer: sees tasks, runs none",
    Role.MEMBER: "Member: runs tasks",
    Role.MANAGER: "Manager: also manages the members of their groups",
    Role.ADMINISTRATOR: "Administrator: sees every task, and manages users and the queue",
}
LAST_ADMINISTRATOR = "Nobody else is an administrator. Make somebody else one first."

NO_EMAIL = "Enter an e-mail address, such as name@example.com."
SAME_ADDRESS = "This is the address already."
HAS_ACCOUNT = "There is an account with this address."
CLOSED = "REGISTRATION is closed, so nobody can accept an invitation."
NOT_YOURSELF = "You can't take your own rights away. Ask another administrator."
NOT_OWN_FACTOR = "Turn your own two-factor sign-in off under Account, or ask another administrator."
NO_USER = "There is no such user."
NO_WORKER = "There is no such worker any more. Reload the page."
NO_SUCH_PAUSE = "This can't be paused. Reload the page and choose again."
NO_CAP = "Enter a whole number up to {most:,}, or nothing."
NO_LIMIT = "Enter a whole number from 1 to {most:,}, or nothing."
NOTHING_LIMITED = "Enter at least one limit: days, runs or MB."
NO_ENDED_STATE = "Choose a state in which runs have ended, or any."
TOO_MANY_RULES = "There are {most} rules already. Delete one first."
LONG_REASON = "A reason has at most {most} characters."
NO_USER_OF_ADDRESS = "No user has this address."
NO_TASK = "There is no such task."
NO_GROUP = "no group"
NO_GROUP_CHOSEN = "Choose at least one group, or let everybody use the task."
NOBODY_CHOSEN = "Choose who may use the task."
EVERYBODY = "everybody"
DELETED_GROUP = "a deleted group"
BY_FILE = "as its file says"
BY_PAGE = "as an administrator has chosen"
VIEWERS_TOO = "They cannot run it, because viewers run nothing."

# By the rule that decides about a user and a task.
RULES = {
    Rule.DISABLED: "{user} sees nothing, because the account is disabled.",
    Rule.ADMINISTRATOR: "{user} sees and runs {task}, because administrators see and run every task.",
    Rule.EVERYBODY: "{user} sees {task}, because it is for everybody, {source}.",
    Rule.IN_GROUP: "{user} sees {task}, because it is for {wanted}, {source}, and the user is in {mine}.",
    Rule.IN_NO_GROUP: "{user} does not see {task}, because it is for {wanted}, {source}, and the user is in {mine}.",
}

NAME_TAKEN = "There is a group with this name. Choose another name."
NO_NAME = "Enter a name of up to {most} characters."
NO_SUCH_GROUP = "There is no such group."
NO_MEMBER = "This group has no such member."
NO_USER_TO_ADD = "No user has this address. Invite them first, or ask an administrator to."
ADMINISTRATORS_MOVE = "Only administrators add and remove managers and administrators."
STILL_USED = "These tasks are for this group: {tasks}. Choose other groups for them first."
NO_ROLE = "Choose a role."

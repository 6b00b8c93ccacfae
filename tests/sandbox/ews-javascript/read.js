// Reads a calendar as a program on the EWS Managed API's port to JavaScript does: a window, the items of the first sync.
// Arguments: the server's address, user, password, the window's start and end. Prints JSON.
import ews from "ews-javascript-api";

const [address, user, password, start, end] = process.argv.slice(2);

const service = new ews.ExchangeService(ews.ExchangeVersion.Exchange2013_SP1);
service.Credentials = new ews.WebCredentials(user, password);
service.Url = new ews.Uri(address);

const { AppointmentSchema, ItemSchema } = ews;
const listed = new ews.PropertySet(ews.BasePropertySet.IdOnly, [
  ItemSchema.Subject,
  ItemSchema.Sensitivity,
  AppointmentSchema.Start,
  AppointmentSchema.End,
  AppointmentSchema.Location,
  AppointmentSchema.IsAllDayEvent,
  AppointmentSchema.IsCancelled,
  AppointmentSchema.AppointmentType,
  AppointmentSchema.ICalUid,
  AppointmentSchema.MyResponseType,
  AppointmentSchema.LegacyFreeBusyStatus,
]);

const moment = (value) => new Date(value.TotalMilliSeconds ?? value.valueOf()).toISOString();

const shown = (item) => ({
  id: item.Id.UniqueId,
  key: item.Id.ChangeKey,
  uid: item.ICalUid,
  subject: item.Subject,
  start: moment(item.Start),
  end: moment(item.End),
  location: item.Location ?? "",
  allDay: item.IsAllDayEvent,
  cancelled: item.IsCancelled,
  private: item.Sensitivity === ews.Sensitivity.Private,
  type: ews.AppointmentType[item.AppointmentType],
});

const view = new ews.CalendarView(new ews.DateTime(start), new ews.DateTime(end), 1000);
view.PropertySet = listed;
const window = await service.FindAppointments(ews.WellKnownFolderName.Calendar, view);

const folder = new ews.FolderId(ews.WellKnownFolderName.Calendar);
const changes = await service.SyncFolderItems(folder, listed, null, 512, ews.SyncFolderItemsScope.NormalItems, null);
const again = await service.SyncFolderItems(
  folder, listed, null, 512, ews.SyncFolderItemsScope.NormalItems, changes.SyncState,
);

const whole = [];
const wanted = new ews.PropertySet(ews.BasePropertySet.FirstClassProperties);
for (const item of window.Items.slice(0, 20)) {
  const one = await ews.Appointment.Bind(service, item.Id, wanted);
  whole.push({ id: one.Id.UniqueId, subject: one.Subject, required: one.RequiredAttendees.Count });
}

console.log(
  JSON.stringify({
    total: window.TotalCount,
    more: window.MoreAvailable,
    window: window.Items.map(shown),
    changes: changes.GetEnumerator().map((change) => ({
      kind: ews.ChangeType[change.ChangeType],
      type: ews.AppointmentType[change.Item.AppointmentType],
      uid: change.Item.ICalUid,
    })),
    moreChanges: changes.MoreChangesAvailable,
    again: again.Count,
    whole,
  }),
);
